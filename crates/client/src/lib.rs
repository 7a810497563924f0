//! A client of a Pilum host, for Rust.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use pilum_client::{Call, Client, NewTask, Target};
//! use pilum_types::{ArtifactSource, FunctionName, Parameter, TaskName, Value};
//!
//! let client = Client::connect("http://127.0.0.1:50051").await?;
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
//! - [`Client`]: a connection to a host, over TCP or any stream.
//! - [`Call`]: what to call, with what, and how the result is wanted.
//! - [`Invoked`], [`Status`], [`Task`], …: what a host answers, in plain types.
//! - [`ClientError`]: what went wrong, with the field to blame and when to try
//!   again where the host said so.
//!
//! **Invariant:** no wire type leaves this crate. A caller sees the words of
//! [`pilum_types`] and plain structs, never a generated message.

mod answer;
mod call;
mod client;
mod connect;
mod dead_letters;
mod deploy;
mod error;
mod pages;
mod read;
mod stream;
mod watch;

pub use answer::{
    Attempt, Cancellation, Deletion, ExecutionLine, Health, HostStats, Invoked, Report, Status, Task,
};
pub use call::{Call, Mode, NewTask, Target};
pub use client::Client;
pub use deploy::{Deployed, Deployment, FunctionDescription, Revision, TaskDescription};
pub use error::{ClientError, Refused};
pub use pages::ExecutionFilter;
pub use stream::{Chunk, Chunks};
pub use watch::{News, Watch};
/// A time as RFC 3339 writes it; `None` for any other text.
pub fn read_time(text: &str) -> Option<std::time::SystemTime> {
    text.parse::<prost_types::Timestamp>().ok()?.try_into().ok()
}

/// A time as RFC 3339 writes it, to the second.
pub fn write_time(time: std::time::SystemTime) -> String {
    prost_types::Timestamp { nanos: 0, ..prost_types::Timestamp::from(time) }.to_string()
}

/// The gRPC status codes, as a [`Refused`] has one.
pub use tonic::Code;
