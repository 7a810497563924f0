//! A Rust client of a Pilum host.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pilum_client::{Call, Client, NewTask, Target};
//! use pilum_types::{ArtifactSource, FunctionName, Parameter, TaskName, Value};
//!
//! let client = Client::connect("http://127.0.0.1:50052").await?;
//! let source = ArtifactSource { location: "file:adder.wasm".into(), checksum: None };
//! let task = NewTask::new(TaskName::parse("adder")?, source);
//! let one = Parameter { name: String::new(), type_name: String::new(), value: Value::Signed(1) };
//! let call = Call::new(Target::New(task), FunctionName::parse("add")?).parameters(vec![one.clone(), one]);
//! let answer = client.invoke(call).await?;
//! println!("{:?}", answer.status.output);
//! # Ok(())
//! # }
//! ```
//!
//! - [`Client`]: a connection to a host, over TCP or any stream. Its methods are in one
//!   file for each subject: calls and tasks in `client`, listings in `pages`, `watch`,
//!   `deploy`, `dead_letters`.
//! - [`Call`]: the function to call, its parameters, and how the result is delivered.
//! - [`InvokeResult`], [`Status`], [`Task`] and others: the answers of a host, in plain
//!   types.
//! - [`ClientError`]: why a call failed, with the wrong field and with the time after which
//!   to try again, if the host gave them.
//!
//! The folder `examples` has a program for each way to call a function.
//!
//! **Invariant:** no wire type leaves this crate. Its public interface has the types of
//! [`pilum_types`] and plain structs, and no type of prost or of tonic.

mod answer;
mod call;
mod client;
mod code;
mod connect;
mod dead_letters;
mod deploy;
mod error;
mod pages;
mod read;
mod stream;
mod time;
mod watch;

pub use answer::{
    Attempt, CancelResult, DeleteResult, ExecutionLine, Health, HostStats, InvokeResult, Report, Status, Task,
};
pub use call::{Call, Mode, NewTask, Target};
pub use client::Client;
pub use code::Code;
pub use deploy::{DeployResult, Deployment, FunctionDescription, Revision, TaskDescription};
pub use error::{ClientError, ErrorStatus};
pub use pages::ExecutionFilter;
pub use stream::{Chunk, Chunks};
pub use time::{read_time, write_time};
pub use watch::{Update, Watch};
