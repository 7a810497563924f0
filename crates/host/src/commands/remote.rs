//! The connection to the host that a command names.

use crate::cli::Remote;
use anyhow::Result;
use pilum_client::Client;

/// Connects to the host at `--server`.
pub(super) async fn connect(remote: &Remote) -> Result<Client> {
    let server = &remote.server;
    let endpoint = if server.contains("://") { server.clone() } else { format!("http://{server}") };
    Ok(Client::connect(&endpoint).await?)
}
