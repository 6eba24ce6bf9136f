//! A metric with its samples, one for each set of labels.

use prometheus::proto::{Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType};

/// A metric on its way to the page.
#[derive(Debug)]
pub struct Family {
    family: MetricFamily,
    samples: Vec<Metric>,
}

/// Label names and values.
pub type Labels<'l> = [(&'static str, &'l str)];

impl Family {
    /// One that only grows, until a reset.
    pub fn counter(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::COUNTER)
    }

    /// One that goes up and down.
    pub fn gauge(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::GAUGE)
    }

    /// One that counts durations.
    pub fn histogram(name: &str, help: &str) -> Self {
        Self::new(name, help, MetricType::HISTOGRAM)
    }

    fn new(name: &str, help: &str, kind: MetricType) -> Self {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        Self { family, samples: Vec::new() }
    }

    /// Adds a sample of a counter or of a gauge.
    pub fn add(&mut self, labels: &Labels<'_>, value: f64) {
        let mut sample = Metric::from_label(pairs(labels));
        if self.family.get_field_type() == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
        }
        self.samples.push(sample);
    }

    /// Adds a sample of a histogram.
    pub fn add_histogram(&mut self, labels: &Labels<'_>, histogram: Histogram) {
        let mut sample = Metric::from_label(pairs(labels));
        sample.set_histogram(histogram);
        self.samples.push(sample);
    }

    /// With one more sample of a counter or of a gauge.
    pub fn with(mut self, labels: &Labels<'_>, value: f64) -> Self {
        self.add(labels, value);
        self
    }

    /// With one more sample of a histogram.
    pub fn with_histogram(mut self, labels: &Labels<'_>, histogram: Histogram) -> Self {
        self.add_histogram(labels, histogram);
        self
    }

    /// As the page takes it.
    pub fn done(self) -> MetricFamily {
        let Self { mut family, samples } = self;
        family.set_metric(samples);
        family
    }
}

fn pairs(labels: &Labels<'_>) -> Vec<LabelPair> {
    let pair = |(name, value): &(&'static str, &str)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    };
    labels.iter().map(pair).collect()
}
