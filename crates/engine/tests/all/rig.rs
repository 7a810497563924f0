//! An engine over a temporary directory, for guests written in WAT.

use pilum_artifact::{ArtifactConfig, ArtifactStore};
use pilum_call::{BindError, CallContext};
use pilum_engine::{BoundCall, Code, Compiler, Engine, EngineError, EngineSettings, Services};
use pilum_types::{
    ArtifactSource, CallLimits, FunctionName, Grants, Outcome, Output, Parameter, TaskId, TaskName, Value,
};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) directory: TempDir,
}

pub(crate) const LIMITS: CallLimits = CallLimits {
    timeout: Duration::from_secs(10),
    memory_max_bytes: 4 << 20,
    table_max_elements: 1_000,
    result_max_bytes: 1 << 20,
    log_max_bytes: 1 << 10,
    fuel: None,
};

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(false)
    }

    pub(crate) fn with(metered: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { engine: engine(directory.path(), metered), directory }
    }

    /// Prepares the code of a WAT text.
    pub(crate) async fn code(&self, wat: &str) -> Result<Arc<Code>, EngineError> {
        let bytes = wat::parse_str(wat).unwrap_or_else(|error| panic!("{error}"));
        self.code_of_bytes(&bytes).await
    }

    pub(crate) async fn code_of_bytes(&self, bytes: &[u8]) -> Result<Arc<Code>, EngineError> {
        let file = self.directory.path().join("code.wasm");
        std::fs::write(&file, bytes).unwrap();
        let location = format!("file://{}", file.display());
        self.engine.prepare(&ArtifactSource { location, checksum: None }, &Grants::default()).await
    }

    /// Calls a function with unnamed parameters, after it made sure that the check of the
    /// parameters agrees with their conversion.
    pub(crate) async fn call(
        &self,
        code: &Arc<Code>,
        function: &str,
        values: Vec<Value>,
        limits: CallLimits,
    ) -> Result<Outcome, BindError> {
        let parameters: Vec<_> = values.into_iter().map(|value| parameter("", value)).collect();
        let function = FunctionName::parse(function).unwrap();
        let call = self.bind(code, &function, parameters)?;
        let task = TaskName::parse("a-task").unwrap();
        let environment = Arc::from([("GREETING".to_owned(), "hello".to_owned())]);
        let id = TaskId::parse("a-task").unwrap();
        let context = CallContext { environment, ..CallContext::new(task, id, function, limits) };
        Ok(self.engine.run(call, context).await)
    }

    /// Binds a call, and makes sure that the check of the parameters agrees.
    pub(crate) fn bind(
        &self,
        code: &Arc<Code>,
        function: &FunctionName,
        parameters: Vec<Parameter>,
    ) -> Result<BoundCall, BindError> {
        let checked = self.engine.check(code, function, &parameters);
        let bound = self.engine.bind(code, function, parameters);
        assert_eq!(checked.as_ref().err(), bound.as_ref().err(), "the check and the conversion differ");
        bound
    }

    /// How calling `function` of `wat` ends: `value …`, `raw …` or `CODE: message`.
    pub(crate) async fn ends(
        &self,
        wat: &str,
        function: &str,
        values: Vec<Value>,
        limits: CallLimits,
    ) -> String {
        let code = match self.code(wat).await {
            Ok(code) => code,
            Err(error) => return format!("not prepared: {error}"),
        };
        match self.call(&code, function, values, limits).await {
            Ok(outcome) => ended(&outcome),
            Err(error) => format!("{error:?}"),
        }
    }
}

pub(crate) fn ended(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(Output::Typed(value)) => format!("value {value:?}"),
        Ok(Output::Raw(bytes)) => format!("raw {:?}", String::from_utf8_lossy(bytes)),
        Ok(Output::Response { status, body }) => format!("{status} {:?}", String::from_utf8_lossy(body)),
        Err(failure) => format!("{}: {}", failure.code, failure.message),
    }
}

pub(crate) fn parameter(name: &str, value: Value) -> Parameter {
    Parameter { name: name.to_owned(), type_name: String::new(), value }
}

pub(crate) fn engine(directory: &Path, metered: bool) -> Engine {
    let artifacts = ArtifactStore::open(ArtifactConfig {
        directory: directory.to_owned(),
        file_roots: vec![directory.to_owned()],
        max_bytes: 32 << 20,
        fetch_timeout: Duration::from_secs(10),
        allow_private_addresses: false,
        allow_missing_checksum: true,
        disk_max_bytes: 1 << 30,
    });
    let settings = EngineSettings {
        directory: directory.join("native"),
        instance_slots: 16,
        memory_max_bytes: 8 << 20,
        table_max_elements: 10_000,
        metered,
        code_cache_max_bytes: 64 << 20,
        native_cache_max_bytes: 64 << 20,
    };
    Engine::new(&settings, artifacts.unwrap(), Compiler::InProcess, Services::default()).unwrap()
}
