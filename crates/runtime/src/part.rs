use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::Collector;
use telemetry_interfaces::{Code, Component, Error, ErrorKind, Health, HealthStatus, Result};
use telemetry_storage::Store;

/// The store as a part: open from the beginning, closed at the end.
pub(crate) struct StorePart(pub(crate) Arc<dyn Store>);

impl Component for StorePart {
    fn name(&self) -> &str {
        "store"
    }

    fn start(&self) -> Result<()> {
        Ok(())
    }

    fn health(&self) -> Health {
        let health = self.0.health();
        let recovered = self.0.recovered();
        if health.status != HealthStatus::Healthy || recovered.is_clean() {
            return health;
        }
        Health::degraded(Code::Corruption, format!("{}; {recovered}", health.message))
    }

    fn drain(&self, _limit: Duration) -> Result<()> {
        self.0.flush()
    }

    fn shutdown(&self) -> Result<()> {
        self.0.close()
    }
}

/// The collector, with whatever consumes its events, as a part.
pub(crate) struct CollectorPart(pub(crate) Collector);

impl Component for CollectorPart {
    fn name(&self) -> &str {
        "collector"
    }

    fn start(&self) -> Result<()> {
        Ok(())
    }

    fn health(&self) -> Health {
        self.0.health()
    }

    fn drain(&self, limit: Duration) -> Result<()> {
        let report = self.0.shutdown(limit);
        if report.complete {
            return Ok(());
        }
        if self.0.has_broken_down() {
            let message = format!(
                "the pipeline thread has ended before the shutdown; {} events were dropped",
                report.ledger.dropped_total()
            );
            return Err(Error::new(ErrorKind::Internal, Code::Processing, message).cure(
                "report the panic that the program printed, with its place; restart to record \
                 again",
            ));
        }
        let (late, spooled) = (report.ledger.in_flight, report.ledger.spooled);
        let message = format!(
            "{late} events were not stored within {limit:?}, {spooled} wait in the spool for the \
             next run"
        );
        let error = Error::new(ErrorKind::Unavailable, Code::StorageUnavailable, message);
        Err(match self.0.trouble() {
            Some(trouble) => error
                .source(trouble)
                .cure("remove the cause; the next run stores what waits in the spool"),
            None => error.cure(
                "give shutdown more time, or see why the store is slow with `telemetry doctor`",
            ),
        })
    }

    fn shutdown(&self) -> Result<()> {
        self.0.shutdown(Duration::ZERO);
        Ok(())
    }
}
