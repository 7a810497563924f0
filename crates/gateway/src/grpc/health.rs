//! The standard gRPC health service, for the host as a whole and for each of its
//! services.

use pilum_proto::pilum::v1::host_service_server::SERVICE_NAME as HOST;
use pilum_proto::spearlet::function_service_server::SERVICE_NAME as FUNCTIONS;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

/// The services whose health is reported; the empty name means the host as a whole.
const SERVICES: [&str; 3] = ["", FUNCTIONS, HOST];

/// The state that the health service reports.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    reporter: HealthReporter,
}

impl Health {
    /// A health service that reports SERVING.
    pub(crate) async fn serving() -> Self {
        let health = Self { reporter: HealthReporter::new() };
        health.report(ServingStatus::Serving).await;
        health
    }

    /// Reports NOT_SERVING: the host takes no new work.
    pub(crate) async fn draining(&self) {
        self.report(ServingStatus::NotServing).await;
    }

    /// Ends the streams of clients that watch the health, which would keep their
    /// connections open.
    pub(crate) async fn end(mut self) {
        for service in SERVICES {
            self.reporter.clear_service_status(service).await;
        }
    }

    /// The service to add to a server.
    pub(crate) fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    async fn report(&self, status: ServingStatus) {
        for service in SERVICES {
            self.reporter.set_service_status(service, status).await;
        }
    }
}
