//! Measures how cost grows: throughput and p99 of loaded hosts against the number
//! of tasks, of finished records and of calls in flight. The results are plots.
//!
//! Each number has its own host, which is idle while another number is measured. So
//! all numbers of a plot are measured in turn, and a slow phase of the machine
//! affects all of them.

use crate::client::load::{Loop, Measured};
use crate::client::tasks::{IN_FLIGHT, register};
use crate::client::wire::{Function, connect, invoke};
use crate::controls::echo::Inside;
use crate::measure::{Plan, Spread, block_on};
use crate::results::plot::{Plot, Series};
use crate::rows::status_read::{Records, read};
use crate::server::{Server, Setup};
use anyhow::{Context, Result};
use pilum_proto::spearlet::InvokeFunctionRequest;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

const TASKS: &[usize] = &[1, 10, 100, 1_000, 10_000];
/// The host keeps no more records than the largest of these numbers.
const RECORDS: &[usize] = &[1_000, 3_000, 10_000, 30_000, 100_000];
const CALLS: &[usize] = &[1, 2, 4, 8, 16, 32, 64, 128];
/// More slots than calls in flight, so that no call is refused.
const SLOTS: (&str, &str) = ("PILUM_SYNC_EXECUTION__MAX_CONCURRENT_REQUESTS", "256");

/// What grows, as in the name of the plot's file, and the function that measures it.
type Subject = (&'static str, fn(Plan) -> Result<Plot>);

const SUBJECTS: &[Subject] = &[("tasks", tasks), ("records", records), ("in-flight", in_flight)];

/// Measures all plots and writes them into `directory`.
#[expect(clippy::print_stdout, reason = "this program's output")]
#[expect(clippy::print_stderr, reason = "progress for the person who waits")]
pub(crate) fn run(plan: Plan, directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    println!("| at | series | calls/s (min–max) | p99, µs (min–max) |\n|---|---|---|---|");
    for (name, measure) in SUBJECTS {
        eprintln!("growth against {name} …");
        let plot = measure(plan)?;
        plot.draw(&directory.join(format!("growth-{name}.svg")))?;
        print!("{}", lines(&plot));
    }
    Ok(())
}

/// A plot's medians as lines of a table.
fn lines(plot: &Plot) -> String {
    let mut text = String::new();
    for series in &plot.series {
        for (x, rounds) in &series.points {
            let of = |pick: fn(&Measured) -> f64| {
                let spread = Spread::of(rounds.iter().map(pick).collect());
                format!("{:.0} ({:.0}–{:.0})", spread.median, spread.min, spread.max)
            };
            let (calls, p99) = (of(|round| round.calls_per_s), of(|round| round.p99_us));
            let _ = writeln!(text, "| {x} {} | {} | {calls} | {p99} |", plot.x_name, series.name);
        }
    }
    text
}

fn tasks(plan: Plan) -> Result<Plot> {
    block_on(async {
        let mut hosts = Vec::new();
        for count in TASKS {
            let host = Server::host()?;
            let load = Loop::connect(&host.grpc, IN_FLIGHT).await?;
            let requests = register(&load, &Function::add()?, 0..*count).await?;
            hosts.push((*count, (load, requests, host)));
        }
        let points = sweep(plan, &hosts, async |(load, requests, _)| {
            load.run(round_of(plan), async |client, number| {
                let request = requests.get(number % requests.len()).context("no request for this task")?;
                invoke(client, request).await.map(drop)
            })
            .await
        });
        let series = Series { name: "add, spread over all", points: points.await? };
        let title = "Synchronous calls, 32 in flight, against registered tasks";
        Ok(Plot { title, x_name: "tasks", x_base: 10.0, series: vec![series] })
    })
}

fn records(plan: Plan) -> Result<Plot> {
    block_on(async {
        let mut hosts = Vec::new();
        for count in RECORDS {
            let records = Records::made(*count).await?;
            let add = Function::add()?.registered(&mut connect(&records.host.grpc).await?, "add").await?;
            hosts.push((*count, (records, add)));
        }
        let adds = sweep(plan, &hosts, async |(records, add)| call(plan, &records.load, add).await);
        let adds = Series { name: "add", points: adds.await? };
        let reads =
            sweep(plan, &hosts, async |(records, _)| read(&records.load, &records.ids, round_of(plan)).await);
        let reads = Series { name: "GetExecutionStatus", points: reads.await? };
        let title = "Calls, 32 in flight, against finished records";
        Ok(Plot { title, x_name: "finished records", x_base: 10.0, series: vec![adds, reads] })
    })
}

fn in_flight(plan: Plan) -> Result<Plot> {
    block_on(async {
        let host = Server::host_with(&Setup { settings: &[SLOTS], ..Setup::default() })?;
        let control = Server::control_echo(Inside::Nothing)?;
        let add = Function::add()?.registered(&mut connect(&host.grpc).await?, "add").await?;
        // One sweep measures both servers, so that they are measured in turn.
        let mut loads = Vec::new();
        for server in [&host, &control] {
            for calls in CALLS {
                loads.push((*calls, Loop::connect(&server.grpc, *calls).await?));
            }
        }
        let mut points = sweep(plan, &loads, async |load| call(plan, load, &add).await).await?;
        let bare = Series { name: "bare tonic", points: points.split_off(CALLS.len()) };
        let series = vec![Series { name: "add", points }, bare];
        let title = "Synchronous calls against calls in flight";
        Ok(Plot { title, x_name: "calls in flight", x_base: 2.0, series })
    })
}

/// Measures each spot once in every round.
async fn sweep<S>(
    plan: Plan,
    spots: &[(usize, S)],
    measure: impl AsyncFn(&S) -> Result<Measured>,
) -> Result<Vec<(usize, Vec<Measured>)>> {
    let mut points: Vec<_> = spots.iter().map(|(x, _)| (*x, Vec::new())).collect();
    for _ in 0..plan.rounds {
        for ((_, spot), (_, rounds)) in spots.iter().zip(&mut points) {
            rounds.push(measure(spot).await?);
        }
    }
    Ok(points)
}

async fn call(plan: Plan, load: &Loop, request: &InvokeFunctionRequest) -> Result<Measured> {
    load.run(round_of(plan), async |client, _| invoke(client, request).await.map(drop)).await
}

fn round_of(plan: Plan) -> Duration {
    Duration::from_secs_f64(plan.seconds)
}
