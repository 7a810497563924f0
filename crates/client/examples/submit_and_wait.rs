//! Submits an asynchronous call, then watches its execution until it ends.
//!
//! Build the guests with `make guests`, start a host with `pilum serve`, then run
//!
//! ```sh
//! cargo run -p pilum-client --example submit_and_wait -- guest-examples/out/calculate-fibonacci.wasm
//! ```
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use pilum_client::{Call, Client, Mode, NewTask, Target, Update};
use pilum_types::{FunctionName, Parameter, TaskName, Value};
use std::error::Error;

/// Where `pilum serve` listens for gRPC unless it is configured otherwise.
const ENDPOINT: &str = "http://127.0.0.1:50052";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("give the path of calculate-fibonacci.wasm")?;
    let client = Client::connect(ENDPOINT).await?;

    let source = client.upload(std::fs::read(file)?.into(), |_sent_bytes| {}).await?;
    let task = NewTask::new(TaskName::parse("example-fibonacci")?, source);
    let n = Parameter { name: "n".into(), type_name: String::new(), value: Value::Unsigned(50) };
    let call = Call::new(Target::New(task), FunctionName::parse("calculate-fibonacci")?)
        .parameters(vec![n])
        .mode(Mode::Async);

    // From here on the execution reaches an end even if the host is restarted.
    let submitted = client.invoke(call).await?;
    println!("submitted as {}", submitted.execution_id);

    let mut watch = client.watch(&submitted.execution_id, true).await?;
    while let Some(update) = watch.next().await? {
        match update {
            Update::Status(report) => println!("{:?}: {:?}", report.status.state, report.status.output),
            Update::Line(line) => println!("{line}"),
            Update::Missed(lines) => println!("({lines} updates were missed)"),
        }
    }
    Ok(())
}
