//! What compiled code can be called for: found once, when the code is loaded,
//! so that a call looks up one name and nothing else.

use crate::{EngineError, wit};
use pilum_types::{Field, FunctionKind, FunctionSignature, ValueType};
use std::collections::HashMap;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Type};
use wasmtime::{Engine, ExternType, Module, ModuleExport, ValType};

/// The export a core command starts at.
const CORE_COMMAND: &str = "_start";
/// What a core library wants called once before anything else.
const CORE_INITIALIZE: &str = "_initialize";
/// The interface of a component command, without its version.
const COMPONENT_COMMAND: &str = "wasi:cli/run@";
/// The interface of an http handler, without its version.
const HANDLER: &str = "wasi:http/incoming-handler@";

/// What the names and types of one artifact's functions may take, in bytes.
/// Some hundred functions with rich types take tens of KiB.
const DESCRIPTION_MAX_BYTES: usize = 4 << 20;

/// How a function is reached and what it takes.
pub(crate) enum Plan {
    Core { export: ModuleExport, parameters: Box<[ValType]>, results: usize },
    Component { export: ComponentExportIndex, parameters: Box<[(String, Type)]>, result: Option<Type> },
    CoreCommand { export: ModuleExport },
    ComponentCommand { export: ComponentExportIndex },
    Handler { export: ComponentExportIndex },
}

/// Every function of one artifact.
pub(crate) struct Exports {
    /// Their signatures, in the artifact's order.
    pub(crate) signatures: Vec<FunctionSignature>,
    /// `_initialize`, where a core module has one.
    pub(crate) initialize: Option<ModuleExport>,
    plans: Vec<Plan>,
    names: HashMap<String, Found>,
    /// A command answers to every name: the name is its `argv[1]`.
    command: bool,
}

enum Found {
    One(usize),
    Several(Vec<usize>),
}

/// What a name leads to.
pub(crate) enum Lookup<'a> {
    One(usize, &'a Plan, &'a FunctionSignature),
    Several(Vec<String>),
    Nothing(Vec<String>),
}

impl Exports {
    /// # Errors
    /// When the description would be larger than [`DESCRIPTION_MAX_BYTES`].
    pub(crate) fn of_module(module: &Module) -> Result<Self, EngineError> {
        let mut exports = Self::none();
        let mut left = DESCRIPTION_MAX_BYTES;
        let export = |name: &str| module.get_export_index(name);
        if let (Some(ExternType::Func(ty)), Some(export)) =
            (module.get_export(CORE_COMMAND), export(CORE_COMMAND))
            && ty.params().len() == 0
            && ty.results().len() == 0
        {
            exports.add_command(CORE_COMMAND, Plan::CoreCommand { export });
            return Ok(exports);
        }
        for item in module.exports() {
            let (ExternType::Func(ty), Some(export)) = (item.ty(), export(item.name())) else { continue };
            if item.name() == CORE_INITIALIZE {
                exports.initialize = Some(export);
                continue;
            }
            let types = ty.params().len() + ty.results().len();
            let fits = wit::take(item.name().len(), &mut left) && (0..types).all(|_| wit::take(0, &mut left));
            if !fits {
                return Err(too_large());
            }
            let parameters: Box<[ValType]> = ty.params().collect();
            let results: Vec<ValType> = ty.results().collect();
            let signature = FunctionSignature {
                name: item.name().to_owned(),
                kind: FunctionKind::Core,
                parameters: (0..).zip(&parameters).map(|(i, ty)| core_parameter(i, ty)).collect(),
                results: results.iter().map(wit::core_type).collect(),
            };
            exports.add(signature, Plan::Core { export, parameters, results: results.len() });
        }
        exports.index();
        Ok(exports)
    }

    /// # Errors
    /// When the description would be larger than [`DESCRIPTION_MAX_BYTES`].
    pub(crate) fn of_component(engine: &Engine, component: &Component) -> Result<Self, EngineError> {
        let mut exports = Self::none();
        let mut left = DESCRIPTION_MAX_BYTES;
        let ty = component.component_type();
        let mut command = None;
        for (name, item) in ty.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(func) => {
                    if let Some(export) = component.get_export_index(None, name) {
                        exports.add_typed(name.to_owned(), export, &func, &mut left)?;
                    }
                }
                ComponentItem::ComponentInstance(instance) => {
                    let Some(outer) = component.get_export_index(None, name) else { continue };
                    for (inner, item) in instance.exports(engine) {
                        let ComponentItem::ComponentFunc(func) = item.ty else { continue };
                        let Some(export) = component.get_export_index(Some(&outer), inner) else { continue };
                        if name.starts_with(COMPONENT_COMMAND) && inner == "run" {
                            command = Some((format!("{name}#run"), export));
                        } else if name.starts_with(HANDLER) && inner == "handle" {
                            exports.add(handler_signature(name), Plan::Handler { export });
                        } else {
                            exports.add_typed(format!("{name}#{inner}"), export, &func, &mut left)?;
                        }
                    }
                }
                ComponentItem::CoreFunc(_)
                | ComponentItem::Module(_)
                | ComponentItem::Component(_)
                | ComponentItem::Type(_)
                | ComponentItem::Resource(_) => {}
            }
        }
        match command {
            // A command that has typed exports too answers to their names and to `run` only.
            Some((name, export)) if exports.plans.is_empty() => {
                exports.add_command(&name, Plan::ComponentCommand { export });
            }
            Some((name, export)) => {
                exports.add(command_signature(&name), Plan::ComponentCommand { export });
            }
            None => {}
        }
        exports.index();
        Ok(exports)
    }

    /// The function that `name` means.
    pub(crate) fn look_up(&self, name: &str) -> Lookup<'_> {
        let one = |i: usize| match (self.plans.get(i), self.signatures.get(i)) {
            (Some(plan), Some(signature)) => Lookup::One(i, plan, signature),
            _ => self.nothing(),
        };
        match self.names.get(name) {
            Some(Found::One(i)) => one(*i),
            Some(Found::Several(all)) => Lookup::Several(
                all.iter().filter_map(|i| self.signatures.get(*i)).map(|s| s.name.clone()).collect(),
            ),
            None if self.command => one(0),
            None => self.nothing(),
        }
    }

    /// The http handler, if there is one.
    pub(crate) fn handler(&self) -> Option<usize> {
        self.plans.iter().position(|plan| matches!(plan, Plan::Handler { .. }))
    }

    /// The plan at an index that [`look_up`](Self::look_up) gave.
    pub(crate) fn plan(&self, index: usize) -> Option<(&Plan, &FunctionSignature)> {
        self.plans.get(index).zip(self.signatures.get(index))
    }

    fn nothing(&self) -> Lookup<'_> {
        Lookup::Nothing(self.signatures.iter().map(ToString::to_string).collect())
    }

    fn none() -> Self {
        Self {
            signatures: Vec::new(),
            initialize: None,
            plans: Vec::new(),
            names: HashMap::new(),
            command: false,
        }
    }

    fn add(&mut self, signature: FunctionSignature, plan: Plan) {
        self.signatures.push(signature);
        self.plans.push(plan);
    }

    fn add_command(&mut self, name: &str, plan: Plan) {
        self.command = true;
        self.add(command_signature(name), plan);
    }

    fn add_typed(
        &mut self,
        name: String,
        export: ComponentExportIndex,
        func: &ComponentFunc,
        left: &mut usize,
    ) -> Result<(), EngineError> {
        let fits = wit::take(name.len(), left)
            && func.params().all(|(name, ty)| wit::take(name.len(), left) && wit::take_size(&ty, left))
            && func.results().all(|ty| wit::take_size(&ty, left));
        if !fits {
            return Err(too_large());
        }
        let parameters: Box<[(String, Type)]> =
            func.params().map(|(name, ty)| (name.to_owned(), ty)).collect();
        let result = func.results().next();
        let signature = FunctionSignature {
            name,
            kind: FunctionKind::Component,
            parameters: parameters
                .iter()
                .map(|(name, ty)| Field { name: name.clone(), ty: wit::value_type(ty) })
                .collect(),
            results: result.iter().map(wit::value_type).collect(),
        };
        self.add(signature, Plan::Component { export, parameters, result });
        Ok(())
    }

    /// Gives each function its full name and the short ones it can go by:
    /// for `ns:pkg/interface@1.0.0#name` that is `interface.name` and `name`.
    fn index(&mut self) {
        for (i, signature) in self.signatures.iter().enumerate() {
            for short in short_names(&signature.name) {
                self.names
                    .entry(short)
                    .and_modify(|found| match found {
                        Found::One(first) => *found = Found::Several(vec![*first, i]),
                        Found::Several(all) => all.push(i),
                    })
                    .or_insert(Found::One(i));
            }
        }
        // A full name always means its own function, whatever short names equal it.
        for (i, signature) in self.signatures.iter().enumerate() {
            self.names.insert(signature.name.clone(), Found::One(i));
        }
    }
}

fn too_large() -> EngineError {
    let mib = DESCRIPTION_MAX_BYTES >> 20;
    EngineError::DoesNotFit(format!("its functions' names and types take more than {mib} MiB"))
}

fn core_parameter(index: usize, ty: &ValType) -> Field {
    Field { name: format!("p{index}"), ty: wit::core_type(ty) }
}

fn command_signature(name: &str) -> FunctionSignature {
    FunctionSignature {
        name: name.to_owned(),
        kind: FunctionKind::Command,
        parameters: Vec::new(),
        results: Vec::new(),
    }
}

/// A handler takes its request as parameters where it is called by name.
fn handler_signature(interface: &str) -> FunctionSignature {
    let optional =
        |name: &str, ty: ValueType| Field { name: name.to_owned(), ty: ValueType::Option(Box::new(ty)) };
    let header = ValueType::Tuple(vec![ValueType::String, ValueType::String]);
    FunctionSignature {
        name: format!("{interface}#handle"),
        kind: FunctionKind::Handler,
        parameters: vec![
            optional("method", ValueType::String),
            optional("path", ValueType::String),
            optional("headers", ValueType::List(Box::new(header))),
            optional("body", ValueType::String),
        ],
        results: Vec::new(),
    }
}

fn short_names(full: &str) -> Vec<String> {
    let Some((interface, name)) = full.split_once('#') else { return Vec::new() };
    let unversioned = interface.split('@').next().unwrap_or(interface);
    let last = unversioned.rsplit('/').next().unwrap_or(unversioned);
    vec![name.to_owned(), format!("{last}.{name}"), format!("{unversioned}#{name}")]
}
