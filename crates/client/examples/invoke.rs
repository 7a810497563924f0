//! Calls a function and waits for its result.
//!
//! Build the guests with `make guests`, start a host with `pilum serve`, then run
//!
//! ```sh
//! cargo run -p pilum-client --example invoke -- guest-examples/out/calculate-fibonacci.wasm
//! ```
#![expect(clippy::print_stdout, reason = "an example prints its result")]

use pilum_client::{Call, Client, NewTask, Target};
use pilum_types::{FunctionName, Parameter, TaskName, Value};
use std::error::Error;

/// Where `pilum serve` listens for gRPC unless it is configured otherwise.
const ENDPOINT: &str = "http://127.0.0.1:50052";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("give the path of calculate-fibonacci.wasm")?;
    let client = Client::connect(ENDPOINT).await?;

    // The host registers the task with the first call and uses it again after that.
    let source = client.upload(std::fs::read(file)?.into(), |_sent_bytes| {}).await?;
    let task = NewTask::new(TaskName::parse("example-fibonacci")?, source);
    let n = Parameter { name: "n".into(), type_name: String::new(), value: Value::Unsigned(50) };
    let call = Call::new(Target::New(task), FunctionName::parse("calculate-fibonacci")?).parameters(vec![n]);

    let answer = client.invoke(call).await?;
    if answer.success {
        println!("{:?}", answer.status.output);
    } else {
        println!("the function failed: {}", answer.status.error_message);
    }
    Ok(())
}
