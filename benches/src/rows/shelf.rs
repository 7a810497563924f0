//! shelf: calls of an 18 MB Python component, one after the other with pauses, with
//! instances that stand ready and without, on one host.

use crate::guests;
use crate::measure::{Figure, Plan, alternate, percentile};
use crate::server::Server;
use crate::target::at_most;
use anyhow::{Result, ensure};
use pilum_client::{Call, Client, Deployment, Target};
use pilum_types::{FunctionName, InstancePolicy, Parameter, Policy, TaskId, TaskName, Value};
use std::time::{Duration, Instant};

/// The pause between two calls: time to make the next instance.
const PAUSE: Duration = Duration::from_millis(40);

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    super::block_on(async {
        let host = Server::host()?;
        let client = Client::connect(&host.grpc).await?;
        let ready = InstancePolicy { idle_min: 2, ..InstancePolicy::default() };
        let none = InstancePolicy { idle_max: 0, ..InstancePolicy::default() };
        let with = deployed(&client, "with", ready).await?;
        let without = deployed(&client, "without", none).await?;
        let duration = Duration::from_secs_f64(plan.seconds);
        paused_calls(&client, &with, duration).await?;
        paused_calls(&client, &without, duration).await?;
        let rounds = alternate(
            plan,
            async || paused_calls(&client, &with, duration).await,
            async || paused_calls(&client, &without, duration).await,
        )
        .await?;
        Ok(vec![Figure::beside("shelf, 18 MB of Python, p50", "µs", &[at_most(1.0)], &rounds)])
    })
}

async fn deployed(client: &Client, name: &str, instances: InstancePolicy) -> Result<TaskId> {
    let deployment = Deployment {
        name: TaskName::parse(name)?,
        description: String::new(),
        source: client.upload(guests::bytes("languages/python.wasm")?.into(), |_| {}).await?,
        version: String::new(),
        policy: Policy { instances, ..Policy::default() },
    };
    Ok(client.deploy(deployment).await?.task_id)
}

/// The median of calls with pauses between them.
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
