//! Statements that are not prepared: for sessions that share their server process, where a name may be another's.

use ::postgres::types::{ToSql, Type};
use bytes::BytesMut;

use super::client::Typed;

/// The types that parameters of our own statements have; the first that takes a value is meant. The statements themselves
/// say what becomes of it.
const TYPES: [Type; 6] = [Type::TEXT, Type::TEXT_ARRAY, Type::INT8_ARRAY, Type::OID, Type::OID_ARRAY, Type::BOOL];

/// `params`, each with the type that its value is sent as. One that none of ours takes is sent as a text, which fails.
pub(crate) fn typed<'p>(params: &[&'p (dyn ToSql + Sync)]) -> Vec<Typed<'p>> {
    params.iter().map(|param| (*param, type_of(*param))).collect()
}

fn type_of(param: &(dyn ToSql + Sync)) -> Type {
    let takes = |kind: &Type| param.to_sql_checked(kind, &mut BytesMut::new()).is_ok();
    TYPES.into_iter().find(takes).unwrap_or(Type::TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_tell_their_types() {
        let (texts, numbers, oids) = (vec!["a"], vec![Some(1i64), None], vec![1u32]);
        let params: [&(dyn ToSql + Sync); 7] = [&"a", &"a".to_owned(), &texts, &numbers, &1u32, &oids, &true];
        let types: Vec<Type> = typed(&params).into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(types.first(), Some(&Type::TEXT));
        assert_eq!(types.get(1..), Some(&TYPES[..]));
    }
}
