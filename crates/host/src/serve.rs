//! `pilum serve`: from the configuration to the listeners, and back at a signal.

use crate::callbacks::Sender;
use crate::cli::Serve;
use crate::config::{self, Config, Overrides};
use crate::{logging, wiring};
use anyhow::{Context, Result, bail};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::io::Write;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How many polls of tasks a worker thread makes before it looks at sockets and
/// timers. tokio's default of 61 assumes polls of microseconds; one that runs a
/// guest may take a whole epoch tick of a millisecond.
const EVENT_INTERVAL: u32 = 8;

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
    // Variables that are not UTF-8 cannot be keys of ours.
    let environment =
        std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let config = config::load(serve.config.as_deref(), environment, overrides)?;
    logging::start(&config.log)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().event_interval(EVENT_INTERVAL).build()?;
    runtime.block_on(host(&config))
}

async fn host(config: &Config) -> Result<()> {
    raise_descriptor_limit();
    let executions = wiring::executions(config)?;
    let callbacks = Sender::new(
        Arc::clone(&executions),
        &config.storage.data_dir,
        config.callbacks.allow_private_addresses,
    )?;
    let grpc = listen("listen.grpc", &config.listen.grpc).await?;
    let http = listen("listen.http", &config.listen.http).await?;
    let ready = format!("pilum ready grpc={} http={}", grpc.local_addr()?, http.local_addr()?);
    let shutdown = on_signal()?;
    // Connections already wait in the listeners' backlogs, so this is true now.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{ready}").and_then(|()| stdout.flush()).context("standard output")?;
    drop(stdout);
    tracing::info!("{ready}");
    let broken = Arc::clone(&executions);
    // Boxed, because it holds both servers.
    let serving =
        Box::pin(pilum_gateway::serve(executions, grpc, http, wiring::gateway_limits(config), shutdown));
    tokio::select! {
        served = serving => served?,
        () = callbacks.run() => {}
        why = broken.fatal_failure() => {
            // At once, without a drain: nothing that is answered from now on could be kept.
            bail!("the store of executions failed, and what it accepts from now on may be lost: {why}");
        }
    }
    tracing::info!("stopped");
    Ok(())
}

/// Lets the process open as many files as the system allows it: every
/// connection is one, and the soft limit is often 1,024.
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

/// A token that the first SIGTERM or ctrl-c cancels. A second one ends the
/// process at once, for a person who does not want to wait.
fn on_signal() -> Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = CancellationToken::new();
    let cancelled = shutdown.clone();
    #[expect(clippy::disallowed_methods, reason = "lives as long as the process, and ends it")]
    tokio::spawn(async move {
        let mut either = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        either().await;
        tracing::info!("shutting down; a second signal ends the host at once");
        cancelled.cancel();
        either().await;
        std::process::exit(130);
    });
    Ok(shutdown)
}
