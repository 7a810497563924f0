//! The calculation, without code for components.

/// The n-th Fibonacci number; `None` if it does not fit.
pub fn fibonacci(n: u32) -> Option<u64> {
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
    fn known_values() {
        for (n, value) in [(0, 0), (1, 1), (2, 1), (3, 2), (10, 55), (90, 2_880_067_194_370_816_120)] {
            assert_eq!(fibonacci(n), Some(value), "n = {n}");
        }
    }

    #[test]
    fn stops_where_u64_ends() {
        assert_eq!(fibonacci(93), Some(12_200_160_415_121_876_738));
        assert_eq!(fibonacci(94), None);
        assert_eq!(fibonacci(u32::MAX), None);
    }
}
