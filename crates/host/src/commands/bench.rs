//! `pilum bench`: measures how long a function's calls take, and in which parts.

mod in_process;
mod measure;
mod stats;

use self::measure::{GuestFailed, Measured, WARM_UP_CALLS, Way, grpc_call, measure_grpc};
use super::remote::connect;
use super::target::{TargetKind, find_task, target_kind};
use crate::cli::Bench;
use crate::terminal::exit::FAILED;
use crate::terminal::{parameters, print};
use anyhow::{Context, Result, bail};
use pilum_client::{Call, Target};
use pilum_types::FunctionName;
use serde_json::{Map, Value as Json, json};
use std::process::ExitCode;
use std::time::Duration;

pub(super) async fn run(bench: Bench) -> Result<ExitCode> {
    let function = FunctionName::parse(&bench.function)
        .with_context(|| format!("the function name {:?}", bench.function))?;
    let measured = match target_kind(&bench.target) {
        TargetKind::File => in_process::measure(&bench, &function).await?,
        TargetKind::Task => on_host(&bench, &function).await?,
        TargetKind::Location => {
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
async fn on_host(bench: &Bench, function: &FunctionName) -> Measured<Vec<Way>> {
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
    if let Err(failed) = measure_grpc(&client, &call, bench.in_flight, seconds, &mut grpc).await? {
        return Ok(Err(failed));
    }
    Ok(Ok(vec![grpc]))
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
        "\nThe columns from queue wait to the rest are means. acquire: the time to make an instance; \
         guest: the function, with its parameters lowered and its result lifted; the rest: everything \
         else of a call, including the wire.",
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
