//! The module that Python imports.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::Detail;

#[pymodule]
mod chatlog_native {
    use super::*;

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// (channel, encoded record) of an ordinary chat message; None for everything else.
    ///
    /// `received` is the time of the read, RFC 3339. `full`: a record with all keys; else one with the five
    /// of basic detail.
    #[pyfunction]
    fn chat_record<'py>(
        py: Python<'py>,
        line: &Bound<'py, PyAny>,
        received: &str,
        full: bool,
    ) -> Option<(Bound<'py, PyString>, Bound<'py, PyBytes>)> {
        // The head of an overlong line is of a class of its own.
        let line = line.cast_exact::<PyBytes>().ok()?.as_bytes();
        let detail = if full { Detail::Full } else { Detail::Basic };
        // A fault in here must cost a line its speed, and nothing else.
        let found = std::panic::catch_unwind(|| crate::chat_record(line, received, detail));
        let (channel, record) = found.ok()??;
        Some((PyString::new(py, channel), PyBytes::new(py, &record)))
    }
}
