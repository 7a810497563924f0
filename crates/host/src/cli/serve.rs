//! The arguments of `pilum serve`.

use clap::Args;
use std::path::PathBuf;

/// `pilum serve`.
#[derive(Debug, Args)]
#[command(after_help = "Once it is ready it prints one line on standard output:\n  \
    pilum ready grpc=HOST:PORT http=HOST:PORT\nThe log goes to standard error. At SIGTERM and ctrl-c \
    it lets running executions end, then stops.\n\nEvery key of the configuration can also be set by a \
    variable, for example\n  \
    PILUM_SYNC_EXECUTION__MAX_CONCURRENT_REQUESTS=500")]
pub struct Serve {
    /// The configuration, a TOML file
    #[arg(long, env = "PILUM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where to listen for gRPC [default: 127.0.0.1:50052; port 0 takes a free one]
    #[arg(long, value_name = "HOST:PORT")]
    pub grpc_listen: Option<String>,
    /// Where to listen for HTTP [default: 127.0.0.1:8081; port 0 takes a free one]
    #[arg(long, value_name = "HOST:PORT")]
    pub http_listen: Option<String>,
    /// Where to keep all data of the host [default: ./pilum-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// A directory whose files `file:` locations may name; can be given several times
    #[arg(long, value_name = "DIR")]
    pub artifact_root: Vec<PathBuf>,
}
