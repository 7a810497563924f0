//! `pilum serve`: starts a host, runs it until a signal, and shuts it down.
//!
//! Everything that runs beside the listeners is a future or a task that `run_host`
//! waits for: the gateway drains the connections and the executions, then the callbacks
//! stop, then the runtime waits for work on blocking threads.

use crate::callbacks::CallbackSender;
use crate::cli::Serve;
use crate::config::{self, Config, Overrides};
use crate::{logging, wiring};
use anyhow::{Context, Result, bail};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How many polls of tasks a worker thread makes before it looks at sockets and
/// timers. tokio's default of 61 assumes polls of microseconds; a poll that runs a
/// guest may take a whole epoch tick of a millisecond.
const EVENT_INTERVAL: u32 = 8;
/// The exit code after a second signal: what a shell reports for ctrl-c.
const KILLED_EXIT_CODE: i32 = 130;

/// The signals that end a host.
struct ShutdownSignals {
    terminate: Signal,
    interrupt: Signal,
}

/// Runs a host until SIGTERM or ctrl-c.
///
/// # Errors
/// When it cannot start: the message names the key, the address or the directory.
pub fn run(serve: Serve) -> Result<()> {
    let overrides = Overrides {
        grpc_listen: serve.grpc_listen,
        http_listen: serve.http_listen,
        data_dir: serve.data_dir,
        artifact_roots: serve.artifact_root,
    };
    // A variable that is not UTF-8 cannot be a key of the configuration.
    let environment =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let config = config::load(serve.config.as_deref(), environment, overrides)?;
    logging::start(&config.log)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().event_interval(EVENT_INTERVAL).build()?;
    runtime.block_on(run_host(&config))
}

async fn run_host(config: &Config) -> Result<()> {
    raise_descriptor_limit();
    let executions = wiring::executions(config)?;
    let callbacks = CallbackSender::new(
        Arc::clone(&executions),
        &config.storage.data_dir,
        config.callbacks.allow_private_addresses,
    )?;
    let grpc = listen("listen.grpc", &config.listen.grpc).await?;
    let http = listen("listen.http", &config.listen.http).await?;
    let ready = format!("pilum ready grpc={} http={}", grpc.local_addr()?, http.local_addr()?);
    let signals = ShutdownSignals::new()?;
    // True already: the listeners' backlogs take connections from here on.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{ready}").and_then(|()| stdout.flush()).context("standard output")?;
    drop(stdout);
    tracing::info!("{ready}");

    let store = Arc::clone(&executions);
    let (shutdown, stop_callbacks) = (CancellationToken::new(), CancellationToken::new());
    let limits = wiring::gateway_limits(config);
    let serving = async {
        // Boxed, because it holds both servers.
        let served = Box::pin(pilum_gateway::serve(executions, grpc, http, limits, shutdown.clone())).await;
        stop_callbacks.cancel();
        served
    };
    tokio::select! {
        (served, ()) = async { tokio::join!(serving, callbacks.run(stop_callbacks.clone())) } => served?,
        never = signals.forward(&shutdown) => match never {},
        why = store.fatal_failure() => {
            // At once, without a drain: the store could keep no answer from now on.
            bail!("the store of executions failed, and what it accepts from now on may be lost: {why}");
        }
    }
    tracing::info!("stopped");
    Ok(())
}

/// Lets the process open as many files as the system allows it: every connection is a
/// file, and the soft limit is often 1,024.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

async fn listen(key: &str, address: &str) -> Result<TcpListener> {
    let failed = || format!("{key}: cannot listen on {address} (port 0 takes a free one)");
    TcpListener::bind(address).await.with_context(failed)
}

impl ShutdownSignals {
    /// From here on, a signal no longer ends the process by itself.
    fn new() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Cancels `shutdown` at the first signal. The second signal ends the process at
    /// once, for a person who does not want to wait.
    async fn forward(mut self, shutdown: &CancellationToken) -> Infallible {
        self.next().await;
        tracing::info!("shutting down; a second signal ends the host at once");
        shutdown.cancel();
        self.next().await;
        std::process::exit(KILLED_EXIT_CODE);
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
