//! Figures as tables: for a terminal, for a page, for a program.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::environment;
use crate::samples::Spread;

/// What one run has found.
pub(crate) struct Report {
    environment: Vec<(&'static str, String)>,
    pub(crate) tables: Vec<Table>,
    /// What could not be measured.
    pub(crate) failures: Vec<String>,
}

/// One table.
pub(crate) struct Table {
    name: &'static str,
    about: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One place in it.
pub(crate) enum Cell {
    Text(String),
    Number(f64),
    Spread(Spread),
    /// There is no such figure.
    Nothing,
}

impl Table {
    /// Without rows. `about` says what was done; a column's name ends with its unit.
    pub(crate) fn new(name: &'static str, about: String, columns: &[&'static str]) -> Self {
        Self { name, about, columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each column.
    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        assert_eq!(row.len(), self.columns.len(), "a cell for each column of {}", self.name);
        self.rows.push(row);
    }

    /// Whose figures they are.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The figures in a column of the rows whose first cells are these; `*` is any.
    pub(crate) fn find_all(&self, names: &[String], column: &str) -> Vec<f64> {
        let is_it = |row: &&Vec<Cell>| {
            let mut pairs = names.iter().zip(*row);
            pairs.all(|(name, cell)| match cell {
                Cell::Text(text) => name == "*" || name == text,
                _ => false,
            })
        };
        let Some(at) = self.columns.iter().position(|name| *name == column) else {
            return Vec::new();
        };
        self.rows.iter().filter(is_it).filter_map(|row| row[at].median()).collect()
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut lines: Vec<Vec<String>> =
            vec![self.columns.iter().map(ToString::to_string).collect()];
        lines.extend(self.rows.iter().map(|row| row.iter().map(Cell::text).collect()));
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| lines.iter().map(|line| line[at].len()).max().unwrap_or(0))
            .collect();
        let mut text = format!("{}: {}\n", self.name, self.about);
        for line in &lines {
            for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width - cell.len());
                // Names to the left, figures to the right.
                let is_name = matches!(self.rows.first().map(|row| &row[at]), Some(Cell::Text(_)));
                let (before, behind) = if is_name { ("", &*padding) } else { (&*padding, "") };
                write!(text, "  {before}{cell}{behind}").expect("a string takes every write");
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!("## {}\n\n{}\n\n", self.name, self.about);
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        text += &row(self.columns.iter().map(ToString::to_string).collect());
        text += &row(vec!["---".into(); self.columns.len()]);
        for cells in &self.rows {
            text += &row(cells.iter().map(Cell::text).collect());
        }
        text
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let cells = self.columns.iter().zip(row);
            Value::Object(cells.map(|(name, cell)| ((*name).to_owned(), cell.json())).collect())
        });
        json!({ "name": self.name, "about": self.about, "rows": rows.collect::<Vec<_>>() })
    }
}

impl Cell {
    /// A name, or a setting.
    pub(crate) fn name(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// One figure for each round that has one; none at all leaves the cell empty.
    pub(crate) fn rounds(figures: impl IntoIterator<Item = f64>) -> Self {
        let known = figures.into_iter().filter(|figure| figure.is_finite());
        Spread::of(known).map_or(Self::Nothing, Self::Spread)
    }

    /// One ratio for each round that both have taken.
    pub(crate) fn ratios<T>(own: &[T], others: &[T], figure: fn(&T) -> f64) -> Self {
        let pairs = own.iter().zip(others);
        Self::rounds(pairs.map(|(own, other)| figure(own) / figure(other)))
    }

    /// The figure, or the middle one.
    pub(crate) fn median(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Spread(spread) => Some(spread.median),
            Self::Text(_) | Self::Nothing => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => short(*number),
            Self::Spread(Spread { median, low, high }) => {
                format!("{} ({}..{})", short(*median), short(*low), short(*high))
            }
            Self::Nothing => "-".to_owned(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Spread(Spread { median, low, high }) => {
                json!({ "median": median, "low": low, "high": high })
            }
            Self::Nothing => Value::Null,
        }
    }
}

/// About three digits; more would be noise.
fn short(number: f64) -> String {
    let decimals = match number.abs() {
        0.0 => 0,
        size if size < 1.0 => 3,
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

impl Report {
    /// Without tables.
    pub(crate) fn new(environment: Vec<(&'static str, String)>) -> Self {
        for (name, value) in &environment {
            println!("{name}: {value}");
        }
        println!();
        Self { environment, tables: Vec::new(), failures: Vec::new() }
    }

    /// Tells the next table.
    pub(crate) fn add(&mut self, table: Table) {
        println!("{}", table.text());
        self.tables.push(table);
    }

    /// Notes who else was at work.
    pub(crate) fn finish(&mut self) {
        let load = environment::load();
        println!("load at the end: {load}");
        self.environment.push(("load at the end", load));
    }

    /// For a page.
    pub(crate) fn markdown(&self) -> String {
        let mut text =
            "# Benchmark\n\nFigures are medians of one run, with the lowest and highest. \
                        Compare only within a run.\n\n"
                .to_owned();
        for (name, value) in &self.environment {
            writeln!(text, "- {name}: {value}").expect("a string takes every write");
        }
        for failure in &self.failures {
            writeln!(text, "- not measured: {failure}").expect("a string takes every write");
        }
        for table in &self.tables {
            write!(text, "\n{}", table.markdown()).expect("a string takes every write");
        }
        text
    }

    /// For a program.
    pub(crate) fn json(&self) -> String {
        let environment: Map<String, Value> = self
            .environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let tables: Vec<Value> = self.tables.iter().map(Table::json).collect();
        format!(
            "{:#}\n",
            json!({ "environment": environment, "failures": self.failures, "tables": tables })
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("t", "about".into(), &["what", "ms"]);
        table.push(vec![Cell::name("first"), Cell::rounds([1.0, 2.0, 30.0])]);
        table.push(vec![Cell::name("x"), Cell::Nothing]);
        table
    }

    #[test]
    fn a_table_reads_the_same_in_every_form() {
        assert_eq!(
            table().text(),
            "t: about\n  what                  ms\n  first  2.00 (1.00..30.0)\n  x                      -\n"
        );
        assert_eq!(
            table().markdown(),
            "## t\n\nabout\n\n| what | ms |\n| --- | --- |\n| first | 2.00 (1.00..30.0) |\n| x | - |\n"
        );
        assert_eq!(table().json()["rows"][0]["ms"]["high"], 30.0);
        assert!(table().json()["rows"][1]["ms"].is_null());
    }

    #[test]
    fn figures_are_found_by_the_names_in_their_rows() {
        let find = |name: &str, column| table().find_all(&[name.to_owned()], column);
        assert_eq!(find("first", "ms"), [2.0]);
        assert_eq!(find("*", "ms"), [2.0]);
        for (name, column) in [("x", "ms"), ("y", "ms"), ("first", "s"), ("first", "what")] {
            assert!(find(name, column).is_empty());
        }
    }

    #[test]
    fn rounds_without_a_figure_are_left_out() {
        assert_eq!(Cell::rounds([f64::NAN, 3.0, f64::INFINITY]).median(), Some(3.0));
        assert_eq!(Cell::rounds([f64::NAN]).median(), None);
    }

    #[test]
    fn figures_have_about_three_digits() {
        let short = [0.0, 0.1234, 1.234, 12.34, 1234.5].map(short);
        assert_eq!(short, ["0", "0.123", "1.23", "12.3", "1234"]);
    }
}
