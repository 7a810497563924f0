//! From CSV to a report: a summary of each numeric column, the revenue of each
//! region, and a bootstrap confidence interval of the mean revenue.
//!
//! The revenue of a row is `quantity × unit_price × (1 - discount)`.

use std::collections::BTreeMap;
use std::fmt;

use csv::StringRecord;
use serde::Serialize;

use crate::bootstrap::{self, Interval};
use crate::statistics::{self, Summary};

/// The means of all resamples are in memory at once, 8 bytes each.
const RESAMPLES_MAX: u32 = 1_000_000;

#[derive(Debug, Serialize)]
pub struct Report {
    pub rows: u32,
    pub columns: Vec<Column>,
    /// Sorted by revenue, highest first.
    pub regions: Vec<Region>,
    pub revenue: f64,
    /// The mean revenue of one row.
    pub mean_revenue: f64,
    pub mean_revenue_interval: Option<Interval>,
}

#[derive(Debug, Serialize)]
pub struct Column {
    pub name: String,
    #[serde(flatten)]
    pub summary: Summary,
}

#[derive(Debug, Serialize)]
pub struct Region {
    pub name: String,
    pub orders: u32,
    pub revenue: f64,
    /// The region's share of the total revenue, from 0 to 1.
    pub share: f64,
}

#[derive(Debug)]
pub enum Error {
    TooManyResamples(u32),
    NoColumn(&'static str),
    NoRows,
    Malformed(csv::Error),
    NotANumber { line: u64, column: &'static str, text: String },
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::TooManyResamples(asked) => {
                write!(formatter, "{asked} resamples are too many: at most {RESAMPLES_MAX} are done")
            }
            Error::NoColumn(name) => write!(formatter, "the table has no column {name}"),
            Error::NoRows => formatter.write_str("the table has no rows"),
            Error::Malformed(error) => write!(formatter, "the table is malformed: {error}"),
            Error::NotANumber { line, column, text } => {
                write!(formatter, "line {line}: {column} is not a number: {text:?}")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<csv::Error> for Error {
    fn from(error: csv::Error) -> Self {
        Error::Malformed(error)
    }
}

/// Analyses a table; calls `progress` with a line of text from time to time.
pub fn analyze(csv: &str, resamples: u32, mut progress: impl FnMut(String)) -> Result<Report, Error> {
    if resamples > RESAMPLES_MAX {
        return Err(Error::TooManyResamples(resamples));
    }
    let table = Table::read(csv)?;
    progress(format!("{} rows read", table.revenues.len()));

    let mean_revenue = statistics::mean(&table.revenues).ok_or(Error::NoRows)?;
    let revenue = table.revenues.iter().sum();
    let regions = regions(table.regions, revenue);
    let columns: Vec<Column> = table.columns.into_iter().filter_map(NumericColumn::summarize).collect();
    progress(format!("{} columns and {} regions summarised", columns.len(), regions.len()));

    Ok(Report {
        rows: u32::try_from(table.revenues.len()).unwrap_or(u32::MAX),
        columns,
        regions,
        revenue,
        mean_revenue,
        mean_revenue_interval: bootstrap::mean_interval(&table.revenues, resamples, progress),
    })
}

fn regions(tallies: BTreeMap<String, (u32, f64)>, total: f64) -> Vec<Region> {
    let share = |revenue: f64| if total == 0.0 { 0.0 } else { revenue / total };
    let mut regions: Vec<Region> = tallies
        .into_iter()
        .map(|(name, (orders, revenue))| Region { name, orders, revenue, share: share(revenue) })
        .collect();
    regions.sort_by(|a, b| b.revenue.total_cmp(&a.revenue).then_with(|| a.name.cmp(&b.name)));
    regions
}

/// The values of all rows.
struct Table {
    columns: Vec<NumericColumn>,
    /// The number of orders and the revenue of each region, by name.
    regions: BTreeMap<String, (u32, f64)>,
    /// The revenue of each row.
    revenues: Vec<f64>,
}

/// A column; `values` is `None` after a cell that is not a number.
struct NumericColumn {
    name: String,
    values: Option<Vec<f64>>,
}

impl NumericColumn {
    fn push(&mut self, cell: &str) {
        match (number(cell), &mut self.values) {
            (Some(value), Some(values)) => values.push(value),
            _ => self.values = None,
        }
    }

    fn summarize(self) -> Option<Column> {
        let summary = statistics::summarize(self.values?)?;
        Some(Column { name: self.name, summary })
    }
}

impl Table {
    fn read(csv: &str) -> Result<Self, Error> {
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let header = reader.headers()?.clone();
        let place = Places::find(&header)?;
        let mut table = Table {
            columns: header
                .iter()
                .map(|name| NumericColumn { name: name.to_owned(), values: Some(Vec::new()) })
                .collect(),
            regions: BTreeMap::new(),
            revenues: Vec::new(),
        };

        let mut row = StringRecord::new();
        while reader.read_record(&mut row)? {
            for (column, cell) in table.columns.iter_mut().zip(&row) {
                column.push(cell);
            }
            let revenue = place.revenue(&row)?;
            table.revenues.push(revenue);
            table.count(row.get(place.region).unwrap_or_default(), revenue);
        }
        // An identifier is a number without a meaning, so it is left out.
        table.columns.retain(|column| column.name != "id");
        Ok(table)
    }

    fn count(&mut self, region: &str, revenue: f64) {
        // Looked up by reference first, so that only a new region needs an allocation.
        if let Some((orders, total)) = self.regions.get_mut(region) {
            *orders += 1;
            *total += revenue;
        } else {
            self.regions.insert(region.to_owned(), (1, revenue));
        }
    }
}

/// The positions of the columns from which the revenue is computed.
struct Places {
    region: usize,
    quantity: usize,
    unit_price: usize,
    discount: usize,
}

impl Places {
    fn find(header: &StringRecord) -> Result<Self, Error> {
        let find = |name| header.iter().position(|column| column == name).ok_or(Error::NoColumn(name));
        Ok(Places {
            region: find("region")?,
            quantity: find("quantity")?,
            unit_price: find("unit_price")?,
            discount: find("discount")?,
        })
    }

    fn revenue(&self, row: &StringRecord) -> Result<f64, Error> {
        let cell = |place: usize, column: &'static str| {
            let text = row.get(place).unwrap_or_default();
            number(text).ok_or_else(|| Error::NotANumber {
                line: row.position().map_or(0, csv::Position::line),
                column,
                text: text.to_owned(),
            })
        };
        let quantity = cell(self.quantity, "quantity")?;
        let unit_price = cell(self.unit_price, "unit_price")?;
        let discount = cell(self.discount, "discount")?;
        Ok(quantity * unit_price * (1.0 - discount))
    }
}

/// The finite number in a cell; "inf" and "nan" are no numbers here.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests;
