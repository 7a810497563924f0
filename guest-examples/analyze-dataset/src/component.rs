//! The exported interface: `pilum:examples/datasets`.

use exports::pilum::examples::datasets::{Column, Guest, Interval, Region, Report};

use crate::analysis;

wit_bindgen::generate!({ world: "analyze-dataset" });

struct Component;

impl Guest for Component {
    fn analyze_dataset(csv: String, resamples: u32) -> Result<Report, String> {
        analysis::analyze(&csv, resamples, |line| eprintln!("{line}"))
            .map(Report::from)
            .map_err(|error| error.to_string())
    }
}

export!(Component);

impl From<analysis::Report> for Report {
    fn from(report: analysis::Report) -> Self {
        Report {
            rows: report.rows,
            columns: report.columns.into_iter().map(Column::from).collect(),
            regions: report.regions.into_iter().map(Region::from).collect(),
            revenue: report.revenue,
            mean_revenue: report.mean_revenue,
            mean_revenue_interval: report.mean_revenue_interval.map(Interval::from),
        }
    }
}

impl From<analysis::Column> for Column {
    fn from(analysis::Column { name, summary }: analysis::Column) -> Self {
        Column {
            name,
            count: summary.count,
            minimum: summary.minimum,
            maximum: summary.maximum,
            mean: summary.mean,
            standard_deviation: summary.standard_deviation,
            percentile5: summary.percentile5,
            percentile25: summary.percentile25,
            median: summary.median,
            percentile75: summary.percentile75,
            percentile95: summary.percentile95,
        }
    }
}

impl From<analysis::Region> for Region {
    fn from(analysis::Region { name, orders, revenue, share }: analysis::Region) -> Self {
        Region { name, orders, revenue, share }
    }
}

impl From<crate::bootstrap::Interval> for Interval {
    fn from(interval: crate::bootstrap::Interval) -> Self {
        Interval { low: interval.low, high: interval.high, resamples: interval.resamples }
    }
}
