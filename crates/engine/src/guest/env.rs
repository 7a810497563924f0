//! What a guest can see of the outside during one call.

use crate::guest::chunks::ChunkStream;
use crate::guest::output::{Captured, Destination};
use bytes::Bytes;
use pilum_call::{CallContext, LogSink, OutputMode, RevisionKey};
use pilum_types::{FunctionName, LogStream, Policy, TaskName};
use std::sync::Arc;
use tokio::sync::mpsc;
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;

/// Random bytes that a guest may ask for at once. They are made in host memory.
const RANDOM_MAX_BYTES: u64 = 1 << 20;

/// What a guest can see of the outside during one call. Nothing is inherited from the
/// host's own process.
///
/// This is not the [`CallContext`] itself, because an instance that is made before
/// its call has a revision and a policy, but no function yet.
#[derive(Debug, Clone)]
pub(crate) struct GuestEnv {
    /// The revision whose code runs. The guest's stored values belong to its task.
    pub(crate) revision: RevisionKey,
    /// The revision's policy, which holds the grants.
    pub(crate) policy: Arc<Policy>,
    /// Environment variables.
    pub(crate) environment: Arc<[(String, String)]>,
    /// Receives each log line.
    pub(crate) log_sink: Option<LogSink>,
    /// What only a command sees. `None` for a typed function and for a handler. Boxed,
    /// because most calls have none and the environment is moved on each call.
    pub(crate) command: Option<Box<CommandIo>>,
}

/// What a command sees besides its environment variables.
#[derive(Debug, Clone)]
pub(crate) struct CommandIo {
    /// `argv[0]`.
    task_name: TaskName,
    /// `argv[1]`.
    function: FunctionName,
    /// Standard input.
    stdin: Bytes,
    /// Receives standard output while the command writes it. `None` collects standard
    /// output as the result.
    chunks: Option<mpsc::Sender<Bytes>>,
}

impl GuestEnv {
    /// The environment of a call. A command gets its standard input.
    pub(crate) fn new(context: CallContext, command_stdin: Option<Vec<u8>>) -> Self {
        let CallContext { task_name, revision, policy, function, environment, output, log_sink, .. } =
            context;
        let command = command_stdin.map(|stdin| {
            let chunks = if let OutputMode::Stream(chunks) = output { Some(chunks) } else { None };
            Box::new(CommandIo { task_name, function, stdin: Bytes::from(stdin), chunks })
        });
        Self { revision, policy, environment, log_sink, command }
    }

    /// The environment in which an instance is made before its call. It suits a call
    /// that brings no environment variables of its own.
    pub(crate) fn before_a_call(revision: &RevisionKey, policy: &Arc<Policy>) -> Self {
        Self {
            revision: revision.clone(),
            policy: Arc::clone(policy),
            environment: Arc::clone(&policy.environment),
            log_sink: None,
            command: None,
        }
    }
}

/// A WASI context that shows `env` to the guest and captures what the guest writes. It
/// has no sockets and no files.
pub(crate) fn wasi_context(env: Option<&GuestEnv>, captured: &Captured) -> WasiCtxBuilder {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stderr(captured.stream(Destination::Log(LogStream::Stderr)))
        .max_random_size(RANDOM_MAX_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    if let Some(env) = env {
        builder.envs(&env.environment);
    }
    let Some(command) = env.and_then(|env| env.command.as_ref()) else {
        builder
            .stdin(MemoryInputPipe::new(Bytes::new()))
            .stdout(captured.stream(Destination::Log(LogStream::Stdout)));
        return builder;
    };
    builder
        .stdin(MemoryInputPipe::new(command.stdin.clone()))
        .arg(command.task_name.as_str())
        .arg(command.function.as_str());
    match &command.chunks {
        Some(chunks) => builder.stdout(ChunkStream::new(chunks.clone())),
        None => builder.stdout(captured.stream(Destination::Result)),
    };
    builder
}
