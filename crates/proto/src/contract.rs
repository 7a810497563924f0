//! Compares the compiled contract with a table of it, so that no number, no name and no
//! type can change by accident.

use crate::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};

/// Each message with its fields; each field with its number and its type.
const MESSAGES: &str = "
    ArtifactSpec: artifact_id 1 str · artifact_type 2 str · location 3 str · version 4 str ·
        checksum 5 str · metadata 6 map
    FunctionParameter: name 1 str · type 2 str · value 3 Any · required 4 bool · description 5 str
    ExecutionContext: execution_id 1 str · session_id 2 str · user_id 3 str · environment 4 map ·
        headers 5 map · timeout_ms 6 i64 · max_retries 7 i32
    ExecutionResult: status 1 ExecutionStatus · result 2 Any · error_message 3 str · error_code 4 str ·
        execution_time_ms 5 i64 · memory_used_bytes 6 i64 · metrics 7 map · started_at 8 Timestamp ·
        completed_at 9 Timestamp
    InvokeFunctionRequest: invocation_type 1 InvocationType · task_name 2 str ·
        task_description 3 str · artifact_spec 4 ArtifactSpec · task_id 5 str · function_name 6 str ·
        parameters 7 repeated FunctionParameter · execution_mode 8 ExecutionMode ·
        context 9 ExecutionContext · create_if_not_exists 10 bool · force_new_instance 11 bool ·
        invocation_metadata 12 map · wait 13 bool · execution_id 14 optional str
    InvokeFunctionResponse: success 1 bool · message 2 str · execution_id 3 str · task_id 4 str ·
        instance_id 5 str · result 6 ExecutionResult · status_endpoint 7 str ·
        estimated_completion_ms 8 i64
    GetExecutionStatusRequest: execution_id 1 str · include_result 2 bool · include_logs 3 bool
    GetExecutionStatusResponse: found 1 bool · result 2 ExecutionResult · logs 3 repeated str ·
        message 4 str
    CancelExecutionRequest: execution_id 1 str · reason 2 str · force 3 bool
    CancelExecutionResponse: success 1 bool · message 2 str · final_status 3 ExecutionStatus
    StreamExecutionResult: execution_id 1 str · status 2 ExecutionStatus · chunk_data 3 Any ·
        is_final 4 bool · error_message 5 str · metadata 6 map
    ListTasksRequest: prefix 1 str · limit 2 i32 · start_after 3 str · include_details 4 bool
    ListTasksResponse: tasks 1 repeated TaskInfo · has_more 2 bool · next_start_after 3 str
    TaskInfo: task_id 1 str · task_name 2 str · artifact_spec 3 ArtifactSpec · created_at 4 i64 ·
        updated_at 5 i64 · execution_count 6 i32 · last_status 7 ExecutionStatus · metadata 8 map
    GetTaskRequest: task_id 1 str · include_executions 2 bool · execution_limit 3 i32
    GetTaskResponse: found 1 bool · task 2 TaskInfo · executions 3 repeated ExecutionInfo ·
        message 4 str
    DeleteTaskRequest: task_id 1 str · force 2 bool · cleanup_executions 3 bool
    DeleteTaskResponse: success 1 bool · message 2 str · deleted 3 bool · cleaned_executions 4 i32
    ListExecutionsRequest: task_id 1 str · limit 2 i32 · start_after 3 str ·
        status_filter 4 ExecutionStatus
    ListExecutionsResponse: executions 1 repeated ExecutionInfo · has_more 2 bool ·
        next_start_after 3 str
    ExecutionInfo: execution_id 1 str · task_id 2 str · function_name 3 str ·
        execution_mode 4 ExecutionMode · status 5 ExecutionStatus · started_at 6 Timestamp ·
        completed_at 7 Timestamp · execution_time_ms 8 i64 · memory_used_bytes 9 i64 ·
        error_message 10 str · metadata 11 map
    GetHealthRequest: include_details 1 bool
    GetHealthResponse: status 1 str · message 2 str · uptime_seconds 3 i64 · details 4 HealthDetails
    HealthDetails: active_tasks 1 i32 · running_executions 2 i32 · pending_executions 3 i32 ·
        total_memory_used 4 i64 · total_executions 5 i64 · system_info 6 map
    GetStatsRequest: include_task_stats 1 bool · include_execution_stats 2 bool · time_range_hours 3 i32
    GetStatsResponse: service_stats 1 ServiceStats · task_stats 2 TaskStats ·
        execution_stats 3 ExecutionStats
    ServiceStats: uptime_seconds 1 i64 · total_tasks 2 i32 · total_executions 3 i32 ·
        total_memory_used 4 i64 · cpu_usage_percent 5 f64 · memory_usage_percent 6 f64
    TaskStats: active_tasks 1 i32 · idle_tasks 2 i32 · tasks_by_type 3 map<str,i32> ·
        most_active_tasks 4 repeated TaskInfo
    ExecutionStats: running_executions 1 i32 · pending_executions 2 i32 · completed_executions 3 i32 ·
        failed_executions 4 i32 · average_execution_time_ms 5 f64 · success_rate_percent 6 f64 ·
        executions_by_function 7 map<str,i32>
";

const ENUMS: [(&str, &[&str]); 3] = [
    ("InvocationType INVOCATION_TYPE_", &["UNKNOWN", "NEW_TASK", "EXISTING_TASK"]),
    ("ExecutionMode EXECUTION_MODE_", &["UNKNOWN", "SYNC", "ASYNC", "STREAM"]),
    (
        "ExecutionStatus EXECUTION_STATUS_",
        &["UNKNOWN", "PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"],
    ),
];

const UNARY: [&str; 9] = [
    "InvokeFunction",
    "GetExecutionStatus",
    "CancelExecution",
    "ListTasks",
    "GetTask",
    "DeleteTask",
    "ListExecutions",
    "GetHealth",
    "GetStats",
];

/// The first field number that Pilum uses for its own fields. Lower numbers belong to the
/// function API.
const OWN_NUMBERS_FROM: i32 = 100;

fn file() -> FileDescriptorProto {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("a descriptor set");
    set.file.into_iter().find(|file| file.name() == "spearlet/function.proto").expect("the file")
}

/// `name number type`, as the table writes it.
fn describe(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let short = |field: &FieldDescriptorProto| match field.r#type() {
        Type::Int32 => "i32".to_owned(),
        Type::Int64 => "i64".to_owned(),
        Type::String => "str".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Double => "f64".to_owned(),
        Type::Message | Type::Enum => field.type_name().rsplit('.').next().unwrap_or_default().to_owned(),
        other => format!("{other:?}"),
    };
    let entry = message.nested_type.iter().find(|nested| {
        field.r#type() == Type::Message && field.type_name().ends_with(&format!(".{}", nested.name()))
    });
    let ty = match entry {
        Some(entry) => match (short(&entry.field[0]), short(&entry.field[1])) {
            (key, value) if key == "str" && value == "str" => "map".to_owned(),
            (key, value) => format!("map<{key},{value}>"),
        },
        None if field.label() == Label::Repeated => format!("repeated {}", short(field)),
        None if field.proto3_optional() => format!("optional {}", short(field)),
        None => short(field),
    };
    format!("{} {} {ty}", field.name(), field.number())
}

#[test]
fn every_message_field_number_and_type() {
    let mut compiled = String::new();
    for message in &file().message_type {
        assert!(!message.field.is_empty(), "{}", message.name());
        let fields: Vec<_> = message
            .field
            .iter()
            .filter(|field| field.number() < OWN_NUMBERS_FROM)
            .map(|field| describe(message, field))
            .collect();
        compiled += &format!("{}: {}\n", message.name(), fields.join(" · "));
    }
    let lines = |text: &str| {
        let joined = text.replace(" ·\n", " ·");
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut lines: Vec<_> = joined.lines().map(words).filter(|line| !line.is_empty()).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&compiled), lines(MESSAGES));
}

#[test]
fn every_enum_value() {
    let file = file();
    assert_eq!(file.enum_type.len(), ENUMS.len());
    for (found, (name_and_prefix, values)) in file.enum_type.iter().zip(ENUMS) {
        let (name, prefix) = name_and_prefix.split_once(' ').expect("two words");
        assert_eq!(found.name(), name);
        let found: Vec<_> =
            found.value.iter().map(|value| (value.name().to_owned(), value.number())).collect();
        let expected: Vec<_> =
            (0..).zip(values).map(|(number, value)| (format!("{prefix}{value}"), number)).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn every_rpc() {
    let file = file();
    assert_eq!((file.package(), file.syntax()), ("spearlet", "proto3"));
    assert_eq!(file.service.len(), 1);
    let service = &file.service[0];
    assert_eq!(service.name(), "FunctionService");
    assert_eq!(service.method.len(), UNARY.len() + 1);
    for method in &service.method {
        let name = method.name();
        let (request, response) = if name == "StreamFunction" {
            ("InvokeFunctionRequest".to_owned(), "StreamExecutionResult".to_owned())
        } else {
            assert!(UNARY.contains(&name), "{name}");
            (format!("{name}Request"), format!("{name}Response"))
        };
        assert_eq!(method.input_type(), format!(".spearlet.{request}"));
        assert_eq!(method.output_type(), format!(".spearlet.{response}"));
        assert!(!method.client_streaming());
        assert_eq!(method.server_streaming(), name == "StreamFunction");
    }
}
