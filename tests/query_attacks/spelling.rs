//! Spellings: how a statement may come to call a function that has an effect.

use super::random::Random;

/// Calls of a function, `$` being what it has and how it is declared: `role_i`. They may stand wherever PostgreSQL wants a
/// call and nothing else.
const CALLS: [&str; 22] = [
    "fx_$(1)",
    "fx_$ (1)",
    "fx_$/**/(1)",
    "fx_$/* ( */ /* /* nested */ */(1)",
    "fx_$ -- (\n(1)",
    "fx_$\n\t(\n1)",
    "FX_$(1)",
    "\"fx_$\"(1)",
    "\"fx_$\"/**/(1)",
    "public.fx_$(1)",
    "public . fx_$ (1)",
    "\"public\".\"fx_$\"/**/(1)",
    "U&\"fx\\005f$\"(1)",
    "U&\"fx!005f$\" UESCAPE '!' (1)",
    "public.U&\"\\0066x_$\"/**/(1)",
    "fx_$()",
    "fx_$(n => 1)",
    "fx_$(n := 1)",
    "va_$(1, 2, 3)",
    "va_$(VARIADIC ARRAY[1, 2])",
    "po_$(1)",
    "sq_$/**/(1)",
];

/// Other expressions, of type integer.
const EXPRESSIONS: [&str; 17] = [
    "(SELECT a.at_$ FROM plain a WHERE id = 1)",
    "(SELECT (a).at_$ FROM plain a WHERE id = 1)",
    "(SELECT a.\"at_$\" FROM plain a WHERE id = 1)",
    "(SELECT at_$(a) FROM plain a WHERE id = 1)",
    "(SELECT ag_$(1))",
    "(SELECT ag_$(id::int) FILTER (WHERE id = 1) FROM other)",
    "(SELECT ag_$(1) OVER () FROM other LIMIT 1)",
    "(SELECT sf_$(1))",
    "(SELECT a FROM vw_$ WHERE id = 1)",
    "length('\"' || fx_$/**/(1)::text)",
    "length($q$(\"$q$ || fx_$/**/(1))",
    "(ARRAY[1, fx_$(1)])[1]",
    "(ARRAY[1, 2])[fx_$(1)]",
    "COALESCE(NULL, fx_$(1))",
    "GREATEST(fx_$(1), 1)",
    "(json_build_object('a', fx_$/**/(1)) ->> 'a')::int",
    "CASE WHEN fx_$(1) > 0 THEN 1 END",
];

/// Expressions of type integer that call no function of others by its name: types do.
const TYPED: [&str; 12] = [
    "(ROW(1)::ty_$)::int",
    "CAST(ROW(1)::ty_$ AS int)",
    "((1)::ty_$).n",
    "(ROW(1)::ty_$ = ROW(1)::ty_$)::int",
    "(ROW(1)::ty_$ IN (ROW(1)::ty_$, ROW(2)::ty_$))::int",
    "(ROW(2)::ty_$ BETWEEN ROW(1)::ty_$ AND ROW(3)::ty_$)::int",
    "1::dm_$",
    "CAST(1 AS dm_$)",
    "('{1,2}'::dm_$[])[1]",
    "(ARRAY[1, 2]::dm_$[])[1]",
    "(SELECT (max(a).n) FROM (SELECT ROW(id::int)::ty_$ AS a FROM other ORDER BY 1 LIMIT 1) q GROUP BY a)",
    "length(to_json('a'::en_$)::text)",
];

fn spelled(template: &str, id: &str) -> String {
    // `$q$` quotes.
    template.replace("$q$", "\u{1}").replace('$', id).replace('\u{1}', "$q$")
}

/// A call of the function called `id`, and nothing else.
pub fn call(random: &mut Random, id: &str) -> String {
    spelled(random.pick::<&str>(&CALLS), id)
}

/// An expression that calls it by its name.
pub fn expression(random: &mut Random, id: &str) -> String {
    if random.below(2) == 0 {
        return call(random, id);
    }
    spelled(random.pick::<&str>(&EXPRESSIONS), id)
}

/// An expression that calls it by a type.
pub fn typed(random: &mut Random, id: &str) -> String {
    spelled(random.pick::<&str>(&TYPED), id)
}
