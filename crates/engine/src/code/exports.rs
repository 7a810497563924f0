//! The functions of compiled code. They are found once, when the code is loaded, so
//! that a call only has to find one name.

use crate::error::EngineError;
use crate::values::wit;
use pilum_call::HTTP_HANDLER_FUNCTION;
use pilum_types::{Field, FunctionKind, FunctionSignature, ValueType};
use std::collections::HashMap;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Type};
use wasmtime::{Engine, ExternType, Module, ModuleExport, ValType};

/// The export at which a core command starts.
const CORE_COMMAND: &str = "_start";
/// The export that a core library wants called once, before any other.
const CORE_INITIALIZE: &str = "_initialize";
/// The interface of a component command, without its version.
const COMPONENT_COMMAND: &str = "wasi:cli/run@";
/// The function of a component command.
const COMPONENT_COMMAND_FUNCTION: &str = "run";
/// The interface of an http handler, without its version.
const HANDLER: &str = "wasi:http/incoming-handler@";

/// Bytes that the names and types of one artifact's functions may take. Some hundred
/// functions with rich types take tens of KiB.
const DESCRIPTION_MAX_BYTES: usize = 4 << 20;

/// How a function is called.
pub(crate) enum Plan {
    /// A numeric export of a core module; `results` counts its results.
    Core { export: ModuleExport, parameters: Box<[ValType]>, results: usize },
    /// A typed export of a component.
    Component { export: ComponentExportIndex, parameters: Box<[(String, Type)]>, result: Option<Type> },
    /// The start of a core command.
    CoreCommand { export: ModuleExport },
    /// The start of a component command.
    ComponentCommand { export: ComponentExportIndex },
    /// An http handler.
    Handler { export: ComponentExportIndex },
}

/// Every function of one artifact.
pub(crate) struct Exports {
    /// The signatures, in the artifact's order.
    pub(crate) signatures: Vec<FunctionSignature>,
    /// `_initialize`, where a core module has one.
    pub(crate) initialize: Option<ModuleExport>,
    /// One plan for each signature, in the same order.
    plans: Vec<Plan>,
    /// Full and short names, with the functions that they fit.
    names: HashMap<String, Named>,
    /// Whether this is a command. Every name calls a command, and becomes `argv[1]`.
    is_command: bool,
}

/// What a name leads to.
pub(crate) enum Lookup<'a> {
    /// One function: its index, its plan and its signature.
    One(usize, &'a Plan, &'a FunctionSignature),
    /// Several functions, by their full names.
    Several(Vec<String>),
    /// No function. The signatures of all functions follow.
    Nothing(Vec<String>),
}

/// The functions that a name fits, by their indexes.
enum Named {
    One(usize),
    Several(Vec<usize>),
}

impl Exports {
    /// The functions of a core module.
    ///
    /// # Errors
    /// When the description would be larger than [`DESCRIPTION_MAX_BYTES`].
    pub(crate) fn of_module(module: &Module) -> Result<Self, EngineError> {
        let mut exports = Self::empty();
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
        exports.index_names();
        Ok(exports)
    }

    /// The functions of a component.
    ///
    /// # Errors
    /// When the description would be larger than [`DESCRIPTION_MAX_BYTES`].
    pub(crate) fn of_component(engine: &Engine, component: &Component) -> Result<Self, EngineError> {
        let mut exports = Self::empty();
        let mut left = DESCRIPTION_MAX_BYTES;
        let mut command = None;
        for (name, item) in component.component_type().exports(engine) {
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
                        if name.starts_with(COMPONENT_COMMAND) && inner == COMPONENT_COMMAND_FUNCTION {
                            command = Some((format!("{name}#{inner}"), export));
                        } else if name.starts_with(HANDLER) && inner == HTTP_HANDLER_FUNCTION {
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
            // A command with typed exports is called by their names and by `run` only.
            Some((name, export)) if exports.plans.is_empty() => {
                exports.add_command(&name, Plan::ComponentCommand { export });
            }
            Some((name, export)) => {
                exports.add(command_signature(&name), Plan::ComponentCommand { export });
            }
            None => {}
        }
        exports.index_names();
        Ok(exports)
    }

    /// The function that `name` means.
    pub(crate) fn find(&self, name: &str) -> Lookup<'_> {
        match self.names.get(name) {
            Some(Named::One(index)) => self.one(*index),
            Some(Named::Several(all)) => Lookup::Several(
                all.iter().filter_map(|index| self.signatures.get(*index)).map(|s| s.name.clone()).collect(),
            ),
            None if self.is_command => self.one(0),
            None => Lookup::Nothing(self.shown()),
        }
    }

    /// The http handler's index, if there is a handler.
    pub(crate) fn handler(&self) -> Option<usize> {
        self.plans.iter().position(|plan| matches!(plan, Plan::Handler { .. }))
    }

    /// The plan at an index that [`find`](Self::find) or [`handler`](Self::handler)
    /// gave.
    pub(crate) fn plan(&self, index: usize) -> Option<&Plan> {
        self.plans.get(index)
    }

    /// Every signature as text, for an error message.
    pub(crate) fn shown(&self) -> Vec<String> {
        self.signatures.iter().map(ToString::to_string).collect()
    }

    fn one(&self, index: usize) -> Lookup<'_> {
        match (self.plans.get(index), self.signatures.get(index)) {
            (Some(plan), Some(signature)) => Lookup::One(index, plan, signature),
            _ => unreachable!("every index in `names` has a plan and a signature"),
        }
    }

    fn empty() -> Self {
        Self {
            signatures: Vec::new(),
            initialize: None,
            plans: Vec::new(),
            names: HashMap::new(),
            is_command: false,
        }
    }

    fn add(&mut self, signature: FunctionSignature, plan: Plan) {
        self.signatures.push(signature);
        self.plans.push(plan);
    }

    fn add_command(&mut self, name: &str, plan: Plan) {
        self.is_command = true;
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

    /// Makes every function callable by its full name and by its short names: those of
    /// `ns:pkg/interface@1.0.0#name` are `name`, `interface.name` and
    /// `ns:pkg/interface#name`.
    fn index_names(&mut self) {
        for (i, signature) in self.signatures.iter().enumerate() {
            for short in short_names(&signature.name) {
                self.names
                    .entry(short)
                    .and_modify(|named| match named {
                        Named::One(first) => *named = Named::Several(vec![*first, i]),
                        Named::Several(all) => all.push(i),
                    })
                    .or_insert(Named::One(i));
            }
        }
        // A full name always means its own function, even where it equals a short name.
        for (i, signature) in self.signatures.iter().enumerate() {
            self.names.insert(signature.name.clone(), Named::One(i));
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

/// The parameters of a handler describe the request, for a call by name.
fn handler_signature(interface: &str) -> FunctionSignature {
    let optional =
        |name: &str, ty: ValueType| Field { name: name.to_owned(), ty: ValueType::Option(Box::new(ty)) };
    let header = ValueType::Tuple(vec![ValueType::String, ValueType::String]);
    FunctionSignature {
        name: format!("{interface}#{HTTP_HANDLER_FUNCTION}"),
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
