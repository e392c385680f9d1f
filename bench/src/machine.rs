//! What measurements run on, in words.

/// What this runs on.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("a processor of unknown model", |(_, model)| model.trim());
    let mut text = format!("{cores} cores, {model}, {}.", std::env::consts::OS);
    if cfg!(debug_assertions) {
        text.push_str(" **Built without optimisation: these figures mean nothing.**");
    }
    text
}
