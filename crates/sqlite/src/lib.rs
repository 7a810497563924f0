//! The embedded store: tasks and executions in one SQLite file, and the values of functions
//! in another. Accepted executions survive any end of the process.
//!
//! In reading order: `schema` has the tables; [`SqliteStore`] (`store`) opens the file;
//! `ports` implements the traits of `pilum-store`; `writer` is the one thread that writes,
//! in groups; `table` stores records in the tables, in the form of `stored`;
//! `attempt_journal` records which attempts had begun; `clock_checkpoint` keeps time across
//! restarts; [`KeyValues`] is the file of the functions' values.
//!
//! The file is in WAL mode with `synchronous=FULL`. The queue is in memory and is rebuilt
//! from the file at each start, so no operation searches the file for the next execution.
//!
//! **Invariant:** this is the only crate that knows SQL. A change is answered only after the
//! group it belongs to was synced, and a failed sync ends the process.

mod error;
mod schema;
mod store;

mod ports;
mod stored;
mod table;
mod writer;

mod attempt_journal;
mod clock_checkpoint;

mod key_value;

#[cfg(test)]
mod tests;

pub use error::OpenError;
pub use key_value::KeyValues;
pub use store::{SqliteConfig, SqliteStore};
