//! How much memory and processor time this process uses, as the kernel counts it.

use std::fs;

/// One measurement. A value that the kernel does not give (the system is not Linux, or
/// `/proc` is not mounted) is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct ProcessUsage {
    /// Resident memory, in bytes.
    pub(crate) resident_bytes: u64,
    /// Resident memory, in percent of the machine's memory.
    pub(crate) memory_percent: f64,
    /// Processor time since the process began, in percent of one processor.
    pub(crate) cpu_percent: f64,
}

/// Measures now, with a few reads of `/proc` that block for microseconds.
pub(crate) fn measure() -> ProcessUsage {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let resident_bytes =
        resident_pages(&read("/proc/self/statm")).unwrap_or(0) * rustix::param::page_size() as u64;
    let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
    let cpu = cpu_percent(&read("/proc/self/stat"), &read("/proc/uptime"), ticks_per_second);
    let memory_percent = match memory_total_bytes(&read("/proc/meminfo")) {
        Some(total) if total > 0 => resident_bytes as f64 * 100.0 / total as f64,
        _ => 0.0,
    };
    ProcessUsage { resident_bytes, memory_percent, cpu_percent: cpu.unwrap_or(0.0) }
}

/// The second number of `/proc/self/statm`: resident pages.
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// Reads `/proc/self/stat`. The third field and those after it follow the command in
/// parentheses, which may hold any character. Fields 14 and 15 are ticks in user and
/// kernel mode, field 22 is the start of the process in ticks since boot.
fn cpu_percent(stat: &str, uptime: &str, ticks_per_second: f64) -> Option<f64> {
    let (_, after_command) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_command.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    let used = (field(14)? + field(15)?) / ticks_per_second;
    let booted_for: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    let lived = booted_for - field(22)? / ticks_per_second;
    (lived > 0.0).then(|| used * 100.0 / lived)
}

/// Reads a line of `/proc/meminfo` such as `MemTotal:  24000000 kB`.
fn memory_total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_proc_are_read() {
        assert_eq!(resident_pages("5000 1234 300 1 0 900 0\n"), Some(1234));
        let stat = "7 (a) b) S 1 7 7 0 -1 4 100 0 0 0 150 50 0 0 20 0 9 0 1000 1 1";
        assert_eq!(cpu_percent(stat, "30.00 60.00\n", 100.0), Some(10.0));
        assert_eq!(memory_total_bytes("MemTotal:  2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(cpu_percent("", "", 100.0), None);
    }

    #[test]
    fn this_process_uses_something() {
        let usage = measure();
        assert!(usage.resident_bytes > 100_000, "{usage:?}");
        assert!(usage.memory_percent > 0.0 && usage.memory_percent < 100.0, "{usage:?}");
    }
}
