//! The statement that reads one page of a list.

use rusqlite::ToSql;

use crate::store::Query;

pub(super) const SELECT_ENTRY: &str = "SELECT e.idx, e.tree_size, e.digest, e.key_id, e.accepted_ms, e.summary, e.kind, e.evidence, e.support FROM entries e";

/// The most selective filter drives, so that a page costs its own rows and not the log's length.
pub(super) fn list_sql(query: &Query) -> (String, Vec<Box<dyn ToSql>>) {
    let mut sql = SELECT_ENTRY.to_owned();
    let mut conditions = vec!["e.idx < ?".to_owned()];
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let below = i64::try_from(query.below).unwrap_or(i64::MAX);
    let mut order = "e.idx";
    let mut drive = |table: &str, column: &str, value: &String, values: &mut Vec<Box<dyn ToSql>>| {
        if order == "e.idx" {
            sql += &format!(" JOIN {table} d ON d.idx = e.idx AND d.{column} = ?");
            values.push(Box::new(value.clone()));
            order = "d.idx";
            None
        } else {
            Some(format!(
                "EXISTS (SELECT 1 FROM {table} x WHERE x.{column} = ? AND x.idx = e.idx)"
            ))
        }
    };
    let mut late: Vec<Box<dyn ToSql>> = Vec::new();
    if let Some(device) = &query.device {
        drive("entry_devices", "name", device, &mut values);
    }
    if let Some(workload) = &query.workload
        && let Some(condition) = drive("entry_workloads", "id", workload, &mut values)
    {
        conditions.push(condition);
        late.push(Box::new(workload.clone()));
    }
    if let Some(kind) = query.kind {
        conditions.push("e.kind = ?".to_owned());
        late.push(Box::new(kind as i64));
    }
    if let Some(evidence) = query.evidence {
        conditions.push("e.evidence >= ?".to_owned());
        late.push(Box::new(evidence as i64));
    }
    if let Some(key_id) = query.key_id {
        conditions.push("e.key_id = ?".to_owned());
        late.push(Box::new(key_id.0));
    }
    conditions[0] = format!("{order} < ?");
    values.push(Box::new(below));
    values.append(&mut late);
    values.push(Box::new(query.limit));
    sql += &format!(
        " WHERE {} ORDER BY {order} DESC LIMIT ?",
        conditions.join(" AND ")
    );
    (sql, values)
}
