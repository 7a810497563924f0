//! stream: StreamFunction of a command that writes 1 GiB. The control is a bare tonic
//! server that streams the same messages of 64 KiB.

use crate::client::wire::{Client, Function, connect};
use crate::controls::echo::{Inside, STREAM_BYTES};
use crate::guests;
use crate::measure::{Figure, Plan, alternate, block_on};
use crate::results::target::at_least;
use crate::server::Server;
use anyhow::{Result, ensure};
use pilum_proto::spearlet::{ExecutionMode, InvokeFunctionRequest};
use std::time::Instant;

pub(crate) fn run(plan: Plan) -> Result<Vec<Figure>> {
    block_on(async {
        let host = Server::host()?;
        let control = Server::control_echo(Inside::Nothing)?;
        let (ours, theirs) = (connect(&host.grpc).await?, connect(&control.grpc).await?);
        let kib = i64::try_from(STREAM_BYTES >> 10)?;
        let mut figures = Vec::new();
        for (form, guest) in [("core", "stream-cases.command.wasm"), ("component", "stream-cases.wasm")] {
            let flood = Function::new(guests::source(guest)?, "flood", &[("kib", kib)]);
            let request = flood.new_task(form, ExecutionMode::Stream);
            let rounds = alternate(
                plan,
                async || mib_per_s(&mut ours.clone(), &request).await,
                async || mib_per_s(&mut theirs.clone(), &request).await,
            )
            .await?;
            figures.push(Figure::beside(
                format!("stream, 1 GiB, {form}"),
                "MiB/s",
                &[at_least(0.7)],
                &rounds,
            ));
        }
        Ok(figures)
    })
}

/// Reads a stream to its end.
async fn mib_per_s(client: &mut Client, request: &InvokeFunctionRequest) -> Result<f64> {
    let began = Instant::now();
    let mut stream = client.stream_function(request.clone()).await?.into_inner();
    let mut bytes = 0;
    let mut ended = false;
    while let Some(message) = stream.message().await? {
        // A BytesValue of 64 KiB takes four bytes more on the wire.
        bytes += message.chunk_data.map_or(0, |any| any.value.len().saturating_sub(4));
        ended |= message.is_final;
    }
    ensure!(ended && bytes <= STREAM_BYTES && bytes > STREAM_BYTES / 100 * 99, "received {bytes} bytes");
    Ok(STREAM_BYTES as f64 / f64::from(1 << 20) / began.elapsed().as_secs_f64())
}
