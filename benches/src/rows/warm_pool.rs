//! warm_pool: calls of an 18 MB Python component, one after the other with pauses, on
//! instances from the warm pool. The control is the same calls without a warm pool, on
//! the same host.

use crate::client::tasks::deploy;
use crate::measure::{Figure, Plan, alternate, block_on, percentile};
use crate::results::target::at_most;
use crate::server::Server;
use anyhow::{Result, ensure};
use pilum_client::{Call, Client, Target};
use pilum_types::{FunctionName, InstancePolicy, Parameter, Policy, TaskId, Value};
use std::time::{Duration, Instant};

const GUEST: &str = "languages/python.wasm";
/// The pause between two calls, in which the host makes the next instance.
const PAUSE: Duration = Duration::from_millis(40);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let host = Server::host()?;
        let client = Client::connect(&host.grpc).await?;
        let ready = InstancePolicy { idle_min: 2, ..InstancePolicy::default() };
        let none = InstancePolicy { idle_max: 0, ..InstancePolicy::default() };
        let policy = |instances| Policy { instances, ..Policy::default() };
        let with = deploy(&client, "with", GUEST, policy(ready)).await?;
        let without = deploy(&client, "without", GUEST, policy(none)).await?;
        let duration = Duration::from_secs_f64(plan.seconds);
        paused_calls(&client, &with, duration).await?;
        paused_calls(&client, &without, duration).await?;
        let rounds = alternate(
            plan,
            async || paused_calls(&client, &with, duration).await,
            async || paused_calls(&client, &without, duration).await,
        )
        .await?;
        Ok(vec![Figure::beside("warm_pool, 18 MB of Python, p50", "µs", &[at_most(1.0)], &rounds)])
    })
}

/// The median latency in µs of calls with pauses between them.
async fn paused_calls(client: &Client, task: &TaskId, duration: Duration) -> Result<f64> {
    let end = Instant::now() + duration;
    let mut latencies = Vec::new();
    while Instant::now() < end {
        tokio::time::sleep(PAUSE).await;
        let name = Parameter {
            name: "name".to_owned(),
            type_name: String::new(),
            value: Value::String("Ada".to_owned()),
        };
        let call = Call::new(Target::Existing(task.clone()), FunctionName::parse("greet")?);
        let sent = Instant::now();
        let invoked = client.invoke(call.parameters(vec![name])).await?;
        latencies.push(sent.elapsed().as_secs_f64() * 1e6);
        ensure!(invoked.success, "{invoked:?}");
    }
    Ok(percentile(&mut latencies, 0.5))
}
