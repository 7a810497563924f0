//! A task as a message.

use super::execution::status_number;
use super::numbers::{count, long};
use pilum_execution::TaskView;
use pilum_proto::spearlet::{ArtifactSpec, ExecutionStatus, TaskInfo, TaskStats};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// How many of the most called tasks the statistics list.
const MOST_ACTIVE_MAX: usize = 10;
/// The key of a task's description in its metadata.
const DESCRIPTION: &str = "description";

/// A task; with `details` also its artifact and its metadata.
pub(crate) fn task_info(view: &TaskView, details: bool) -> TaskInfo {
    let spec = &view.task.spec;
    let last_status = view.last_state.map_or(ExecutionStatus::Unknown.into(), status_number);
    TaskInfo {
        task_id: view.task.id.to_string(),
        task_name: spec.name.to_string(),
        artifact_spec: details.then(|| artifact_spec(view)),
        created_at: unix_ms(view.task.created_at),
        updated_at: unix_ms(view.updated_at),
        execution_count: count(view.execution_count),
        last_status,
        metadata: if details { metadata(view) } else { BTreeMap::new() },
    }
}

/// Counts over all tasks of a tenant.
pub(crate) fn task_stats(mut views: Vec<TaskView>) -> TaskStats {
    let active = views.iter().filter(|view| view.execution_count > 0).count();
    let mut tasks_by_type: BTreeMap<String, i32> = BTreeMap::new();
    for view in &views {
        let kind = match view.task.spec.artifact.kind.as_str() {
            "" => "unspecified",
            kind => kind,
        };
        let tasks = tasks_by_type.entry(kind.to_owned()).or_default();
        *tasks = tasks.saturating_add(1);
    }
    let idle = views.len() - active;
    views.sort_by_key(|view| std::cmp::Reverse(view.execution_count));
    let most_active = views.iter().filter(|view| view.execution_count > 0).take(MOST_ACTIVE_MAX);
    TaskStats {
        active_tasks: count(active),
        idle_tasks: count(idle),
        tasks_by_type,
        most_active_tasks: most_active.map(|view| task_info(view, false)).collect(),
    }
}

fn artifact_spec(view: &TaskView) -> ArtifactSpec {
    let spec = &view.task.spec;
    ArtifactSpec {
        artifact_id: spec.artifact.id.clone(),
        artifact_type: spec.artifact.kind.clone(),
        location: spec.source.location.clone(),
        version: spec.artifact.version.clone(),
        checksum: view.task.digest.to_string(),
        metadata: spec.metadata.iter().cloned().collect(),
    }
}

fn metadata(view: &TaskView) -> BTreeMap<String, String> {
    let spec = &view.task.spec;
    let mut metadata: BTreeMap<_, _> = spec.metadata.iter().cloned().collect();
    if !spec.description.is_empty() {
        metadata.entry(DESCRIPTION.to_owned()).or_insert_with(|| spec.description.clone());
    }
    metadata
}

fn unix_ms(time: SystemTime) -> i64 {
    long(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis())
}
