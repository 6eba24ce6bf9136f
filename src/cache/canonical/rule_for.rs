//! Which rule spells the values of a type, from what the catalog says about it.

use super::Rule;

/// `typtype` of an enum in `pg_type`.
const ENUM: char = 'e';

/// What the catalog knows about the type of a column, domains unwrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeFacts<'a> {
    /// The type's name, `pg_type.typname`.
    pub typname: &'a str,
    /// Whether the type stands in `pg_catalog`; a type of another schema may bear the name of a built-in one.
    pub is_builtin: bool,
    /// `pg_type.typtype`.
    pub typtype: char,
    /// The element type of a true array (`pg_type.typcategory` is `A`), the subtype of a range or multirange; domains unwrapped.
    pub element: Option<Box<TypeFacts<'a>>>,
    /// Whether strings that compare equal are byte for byte the same; true for a type without a collation.
    pub deterministic_collation: bool,
}

/// The rule that spells the values of a type.
///
/// A type that is not known here is `ByPostgres { text_is_unique: false }`, which is right for every type.
pub fn rule_for(facts: &TypeFacts<'_>) -> Rule {
    let known = if facts.typtype == ENUM { Some(Rule::Enum) } else { own_rule(facts) };
    known.unwrap_or_else(|| Rule::ByPostgres { text_is_unique: prints_alike(facts) })
}

/// The rule of a built-in type that has one.
fn own_rule(facts: &TypeFacts<'_>) -> Option<Rule> {
    if !facts.is_builtin {
        return None;
    }
    let text = |rule| facts.deterministic_collation.then_some(rule);
    match facts.typname {
        "int2" => Some(Rule::INT2),
        "int4" => Some(Rule::INT4),
        "int8" => Some(Rule::INT8),
        "numeric" => Some(Rule::Numeric),
        "float4" => Some(Rule::Float4),
        "float8" => Some(Rule::Float8),
        "bool" => Some(Rule::Bool),
        "text" | "varchar" => text(Rule::Text),
        "name" => text(Rule::Name),
        "bpchar" => text(Rule::Bpchar),
        "uuid" => Some(Rule::Uuid),
        _ => None,
    }
}

/// Whether PostgreSQL prints equal values of a type without a rule alike, its settings pinned.
fn prints_alike(facts: &TypeFacts<'_>) -> bool {
    match &facts.element {
        Some(element) => element_prints_alike(element),
        None => facts.is_builtin && is_printed_alike(facts.typname),
    }
}

/// Within an array or a range no rule of ours corrects what PostgreSQL prints: `1.0` and `1.00`, `-0` and `0`, `'a'` and
/// `'a '` are equal and stay different.
fn element_prints_alike(element: &TypeFacts<'_>) -> bool {
    match rule_for(element) {
        Rule::Numeric | Rule::Float4 | Rule::Float8 | Rule::Bpchar => false,
        Rule::ByPostgres { text_is_unique } => text_is_unique,
        Rule::Int { .. } | Rule::Bool | Rule::Text | Rule::Name | Rule::Uuid | Rule::Enum => true,
    }
}

/// The built-in types whose output function is one-to-one. `interval` is not among them: `1 day` equals `24:00`.
fn is_printed_alike(typname: &str) -> bool {
    matches!(
        typname,
        "date"
            | "time"
            | "timetz"
            | "timestamp"
            | "timestamptz"
            | "bytea"
            | "inet"
            | "cidr"
            | "macaddr"
            | "macaddr8"
            | "money"
            | "bit"
            | "varbit"
            | "oid"
            | "char"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builtin(typname: &str) -> TypeFacts<'_> {
        TypeFacts { typname, is_builtin: true, typtype: 'b', element: None, deterministic_collation: true }
    }

    fn holding<'a>(typname: &'a str, typtype: char, element: TypeFacts<'a>) -> TypeFacts<'a> {
        TypeFacts { element: Some(Box::new(element)), typtype, ..builtin(typname) }
    }

    const FAITHFUL: Rule = Rule::ByPostgres { text_is_unique: true };
    const UNFAITHFUL: Rule = Rule::ByPostgres { text_is_unique: false };

    #[test]
    fn common_types_have_rules() {
        assert_eq!(rule_for(&builtin("int2")), Rule::Int { min: -32768, max: 32767 });
        assert_eq!(rule_for(&builtin("varchar")), Rule::Text);
        assert_eq!(rule_for(&builtin("bpchar")), Rule::Bpchar);
        assert_eq!(rule_for(&builtin("uuid")), Rule::Uuid);
    }

    #[test]
    fn an_enum_of_any_name_is_an_enum() {
        let facts = TypeFacts { typtype: 'e', is_builtin: false, ..builtin("int4") };
        assert_eq!(rule_for(&facts), Rule::Enum);
    }

    #[test]
    fn a_types_name_counts_in_pg_catalog_only() {
        for typname in ["int4", "text", "date"] {
            assert_eq!(rule_for(&TypeFacts { is_builtin: false, ..builtin(typname) }), UNFAITHFUL);
        }
    }

    #[test]
    fn a_collation_that_calls_different_strings_equal_is_asked() {
        for typname in ["text", "varchar", "name", "bpchar"] {
            let facts = TypeFacts { deterministic_collation: false, ..builtin(typname) };
            assert_eq!(rule_for(&facts), UNFAITHFUL);
            assert_eq!(rule_for(&holding("_x", 'b', facts)), UNFAITHFUL);
        }
    }

    #[test]
    fn types_that_print_equal_values_alike_are_faithful() {
        for typname in ["date", "timestamptz", "bytea", "inet", "money", "varbit", "oid", "char"] {
            assert_eq!(rule_for(&builtin(typname)), FAITHFUL, "{typname}");
        }
        for typname in ["interval", "jsonb", "citext", "tsvector", "box", "xml"] {
            assert_eq!(rule_for(&builtin(typname)), UNFAITHFUL, "{typname}");
        }
    }

    #[test]
    fn arrays_and_ranges_are_as_faithful_as_their_elements() {
        for typname in ["int4", "bool", "text", "uuid", "date", "timestamptz"] {
            assert_eq!(rule_for(&holding("_x", 'b', builtin(typname))), FAITHFUL, "{typname}");
            assert_eq!(rule_for(&holding("x", 'r', builtin(typname))), FAITHFUL, "{typname}");
            assert_eq!(rule_for(&holding("x", 'm', builtin(typname))), FAITHFUL, "{typname}");
        }
        for typname in ["numeric", "float4", "float8", "bpchar", "interval", "jsonb"] {
            assert_eq!(rule_for(&holding("_x", 'b', builtin(typname))), UNFAITHFUL, "{typname}");
            assert_eq!(rule_for(&holding("x", 'r', builtin(typname))), UNFAITHFUL, "{typname}");
        }
    }

    #[test]
    fn an_array_of_enums_in_any_schema_is_faithful() {
        let label = TypeFacts { typtype: 'e', is_builtin: false, ..builtin("mood") };
        let array = TypeFacts { is_builtin: false, ..holding("_mood", 'b', label) };
        assert_eq!(rule_for(&array), FAITHFUL);
    }

    #[test]
    fn composites_are_asked() {
        let facts = TypeFacts { typtype: 'c', is_builtin: false, ..builtin("pair") };
        assert_eq!(rule_for(&facts), UNFAITHFUL);
    }
}
