//! Dead letters: failed executions that another run might not fail.

use crate::{StoreError, Submission};
use pilum_types::{ExecutionId, TenantId};

/// Stores the list of dead letters. A dead letter is a mark on an execution.
pub trait DeadLetterStore: Send + Sync + 'static {
    /// Removes the mark; the execution stays as it is. False if there is no such dead
    /// letter.
    fn discard_dead_letter(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Records that a dead letter is to run again under the id `new_id`, or finds the
    /// id that was recorded before. Returns its submission under that id; `None` if
    /// there is no such dead letter.
    fn redrive_dead_letter(
        &self,
        tenant: &TenantId,
        id: &ExecutionId,
        new_id: &ExecutionId,
    ) -> impl Future<Output = Result<Option<Submission>, StoreError>> + Send;
}
