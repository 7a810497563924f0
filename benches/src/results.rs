//! Everything that the program prints and writes: the report with its targets, the
//! table, the plots.

pub(crate) mod plot;
pub(crate) mod report;
pub(crate) mod table;
pub(crate) mod target;
