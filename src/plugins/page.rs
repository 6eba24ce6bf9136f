//! Pages: what a plugin shows at the HTTP endpoint.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus::proto::MetricFamily;

use super::overview::Overview;

/// The media type of JSON.
pub const JSON: &str = "application/json";

/// How a page is written, from how old its data is.
type Render = Box<dyn Fn(Duration) -> String + Send + Sync>;

/// A page as things stood at one moment. It holds plain data: it is written on the endpoint's thread, for whoever asks.
pub struct Page {
    /// Where it is: `/stats.json`.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    render: Render,
}

impl Page {
    /// A page that `render` writes, which is told how old the data is by then.
    pub fn new(
        path: &'static str,
        content_type: &'static str,
        render: impl Fn(Duration) -> String + Send + Sync + 'static,
    ) -> Self {
        Self { path, content_type, render: Box::new(render) }
    }

    /// Its text, when what it shows is that old.
    pub fn text(&self, age: Duration) -> String {
        (self.render)(age)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({})", self.path)
    }
}

/// What pages are made from, beside what their plugins know themselves.
#[derive(Debug)]
pub struct Report {
    /// The cache and its sources.
    pub overview: Arc<Overview>,
    /// The plugins' own metrics.
    pub metrics: Arc<[MetricFamily]>,
}
