//! `pilum bench`: what a function's calls take, and where it goes.

mod figures;
mod here;

use super::invoke::{Kind, find_task, kind};
use super::{FAILED, connect, parameters, print};
use crate::cli::Bench;
use anyhow::{Context, Result, bail};
use figures::{Parts, Samples};
use futures::future::try_join_all;
use pilum_client::{Call, Client, Status, Target};
use pilum_types::FunctionName;
use serde_json::{Map, Value as Json, json};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Slices of the time; what is measured in turn sees the same noise so.
const ROUNDS: u32 = 5;
/// Calls before the first that counts: caches fill, connections open up.
const WARM_UP_CALLS: usize = 20;

/// One way of calling, measured.
struct Way {
    name: &'static str,
    samples: Samples,
    /// Where the host says it went; wasmtime alone says nothing.
    parts: Option<Parts>,
}

/// Why there is nothing to show: the function failed, which is no error of ours.
struct GuestFailed(String);

type Measured<T> = Result<Result<T, GuestFailed>>;

pub(super) async fn run(bench: Bench) -> Result<ExitCode> {
    let function = FunctionName::parse(&bench.function)
        .with_context(|| format!("the function name {:?}", bench.function))?;
    let measured = match kind(&bench.target) {
        Kind::File => here::measure(&bench, &function).await?,
        Kind::Task => there(&bench, &function).await?,
        Kind::Location => {
            bail!("{} is a location; call it once with `pilum invoke`, then measure its task", bench.target)
        }
    };
    match measured {
        Ok(ways) if bench.remote.json => print::json(&as_json(&bench, &ways)),
        Ok(ways) => print_text(&bench, &ways),
        Err(GuestFailed(how)) => {
            print::remark(format!("the function failed: {how}"));
            return Ok(ExitCode::from(FAILED));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures a task on its host.
async fn there(bench: &Bench, function: &FunctionName) -> Measured<Vec<Way>> {
    let client = connect(&bench.remote).await?;
    let id = find_task(&client, &bench.target).await?;
    let call =
        Call::new(Target::Existing(id), function.clone()).parameters(parameters::read(&bench.parameters)?);
    let mut grpc = Way::new("over gRPC", true);
    for _ in 0..WARM_UP_CALLS {
        if let Err(failed) = grpc_call(&client, &call).await? {
            return Ok(Err(failed));
        }
    }
    let seconds = Duration::from_secs(bench.seconds.into());
    if let Err(failed) = over_grpc(&client, &call, bench.in_flight, seconds, &mut grpc).await? {
        return Ok(Err(failed));
    }
    Ok(Ok(vec![grpc]))
}

/// Calls over gRPC for `duration`, so many at once.
async fn over_grpc(
    client: &Client,
    call: &Call,
    in_flight: u32,
    duration: Duration,
    way: &mut Way,
) -> Measured<()> {
    let began = Instant::now();
    let caller = async || -> Measured<Vec<(Duration, Parts)>> {
        let mut taken = Vec::new();
        while began.elapsed() < duration {
            let sent = Instant::now();
            match grpc_call(client, call).await? {
                Ok(parts) => taken.push((sent.elapsed(), parts)),
                Err(failed) => return Ok(Err(failed)),
            }
        }
        Ok(Ok(taken))
    };
    for caller in try_join_all((0..in_flight).map(|_| caller())).await? {
        match caller {
            Ok(taken) => taken.into_iter().for_each(|(took, parts)| way.add(took, Some(parts))),
            Err(failed) => return Ok(Err(failed)),
        }
    }
    way.samples.ran_for(began.elapsed());
    Ok(Ok(()))
}

async fn grpc_call(client: &Client, call: &Call) -> Measured<Parts> {
    let invoked = client.invoke(call.clone()).await?;
    Ok(if invoked.success {
        Ok(Parts::of_status(&invoked.status))
    } else {
        Err(GuestFailed(failure_of(&invoked.status)))
    })
}

fn failure_of(status: &Status) -> String {
    format!("{}: {}", status.error_code.as_deref().unwrap_or_default(), status.error_message)
}

impl Way {
    fn new(name: &'static str, tells: bool) -> Self {
        Self { name, samples: Samples::default(), parts: tells.then(Parts::default) }
    }

    fn add(&mut self, took: Duration, parts: Option<Parts>) {
        self.samples.add(took);
        if let (Some(sum), Some(parts)) = (&mut self.parts, parts) {
            sum.add(parts);
        }
    }
}

fn print_text(bench: &Bench, ways: &[Way]) {
    let calls: usize = ways.iter().map(|way| way.samples.count()).sum();
    print::text(format!("{} {}: {calls} calls, times in µs\n", bench.target, bench.function));
    let heads = ["", "p50", "p99", "calls/s", "queue wait", "acquire", "guest", "the rest"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    for way in ways {
        let mut row = vec![
            way.name.to_owned(),
            format!("{:.1}", way.samples.percentile_us(0.5)),
            format!("{:.1}", way.samples.percentile_us(0.99)),
            format!("{:.0}", way.samples.per_second()),
        ];
        if let Some(parts) = &way.parts {
            row.extend(parts.means_us(&way.samples).map(|us| format!("{us:.1}")));
        }
        rows.push(row);
    }
    print::table(&rows);
    print::text(
        "\nqueue wait to the rest are means. acquire: an instance is made; guest: the function, its \
         parameters lowered and its result lifted; the rest: everything around a call, the wire included.",
    );
}

fn as_json(bench: &Bench, ways: &[Way]) -> Json {
    let ways: Vec<Json> = ways
        .iter()
        .map(|way| {
            let mut fields = Map::new();
            fields.insert("way".to_owned(), json!(way.name));
            fields.insert("calls".to_owned(), json!(way.samples.count()));
            fields.insert("p50_us".to_owned(), json!(way.samples.percentile_us(0.5)));
            fields.insert("p99_us".to_owned(), json!(way.samples.percentile_us(0.99)));
            fields.insert("calls_per_s".to_owned(), json!(way.samples.per_second()));
            if let Some(parts) = &way.parts {
                let names = ["queue_wait_us", "acquire_us", "guest_us", "rest_us"];
                let means = names.into_iter().zip(parts.means_us(&way.samples));
                fields.extend(means.map(|(name, us)| (name.to_owned(), json!(us))));
            }
            Json::Object(fields)
        })
        .collect();
    json!({ "target": bench.target, "function": bench.function, "in_flight": bench.in_flight, "ways": ways })
}
