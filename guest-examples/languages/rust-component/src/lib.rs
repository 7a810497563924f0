//! Three functions, exported with the types that `wit/world.wit` gives them.

wit_bindgen::generate!({ world: "functions" });

struct Functions;

export!(Functions);

impl Guest for Functions {
    fn calculate_fibonacci(n: u32) -> Result<u64, String> {
        fibonacci(n).ok_or_else(|| format!("F({n}) does not fit 64 bits; F(93) is the last that does"))
    }

    fn greet(name: String) -> String {
        // Standard error is the execution's log.
        eprintln!("greeting {name}");
        format!("Hello, {name}!")
    }

    fn summarize(values: Vec<f64>) -> Result<Summary, String> {
        if values.is_empty() {
            return Err("no values".into());
        }
        Ok(Summary {
            count: values.len() as u32,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

/// The n-th Fibonacci number; `None` if it does not fit.
fn fibonacci(n: u32) -> Option<u64> {
    let (mut previous, mut current) = (1_u64, 0_u64);
    for _ in 0..n {
        (previous, current) = (current, previous.checked_add(current)?);
    }
    Some(current)
}

#[cfg(test)]
mod tests {
    use super::fibonacci;

    #[test]
    fn ends_where_u64_ends() {
        assert_eq!(fibonacci(0), Some(0));
        assert_eq!(fibonacci(93), Some(12_200_160_415_121_876_738));
        assert_eq!(fibonacci(94), None);
    }
}
