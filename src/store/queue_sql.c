/*
 * The delivery queue's statements, all in one place: what runs over the
 * schema in queue.c.
 */
#include "store/queue_db.h"

#define LANE_COLUMNS "no, webhook, origin, state, failures, pauses, failing, " \
	"since, until, held, why"

#define HOUR_COLUMNS "delivered, answered, retry, dead, us, ms_1, ms_2, ms_5, " \
	"ms_10, ms_20, ms_50, ms_100, ms_200, ms_500, ms_1000, ms_2000, " \
	"ms_5000, ms_10000, ms_30000, ms_more"

#define ADD(column) column " = " column " + excluded." column

const char *const queue_sql[Q_N] = {
	[Q_READ] = "BEGIN",
	[Q_READ_END] = "COMMIT",
	[Q_CHANGED] = "UPDATE meta SET changes = changes + 1",

	[Q_LANE_OF_WEBHOOK] = "SELECT no FROM lane WHERE webhook = ?1",
	[Q_LANE_OF_ORIGIN] = "SELECT no FROM lane WHERE origin = ?1",
	[Q_ADD_LANE] = "INSERT INTO lane(webhook, origin) VALUES(?1, ?2)",
	[Q_BEHIND] = "SELECT 1 FROM call "
	    "WHERE lane = ?1 AND turn = ?2 AND due IS NOT NULL LIMIT 1",
	[Q_PUT] = "INSERT INTO call(lane, due, outcome, attempts, taken, "
	    "settled, turn, body, same, id, event, name, reason) "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) "
	    "ON CONFLICT DO NOTHING",
	[Q_PUT_PAYLOAD] = "INSERT INTO payload VALUES(?1, ?2)",
	[Q_SAME] = "SELECT id, body, outcome, settled FROM call WHERE same = ?1",
	[Q_HAS_SAME] = "SELECT 1 FROM call WHERE same = ?1",
	[Q_FORGET_SAME] = "UPDATE call SET same = NULL WHERE same = ?1",

	[Q_SEQ_OF_SAME] = "SELECT seq FROM call WHERE same = ?1 AND id = ?2",
	[Q_SAME_OF] = "SELECT same, id FROM call WHERE seq = ?1 AND due IS NULL "
	    "AND EXISTS(SELECT 1 FROM payload WHERE payload.seq = call.seq)",
	[Q_PUT_AGAIN] = "INSERT INTO call(lane, due, outcome, attempts, taken, "
	    "settled, turn, body, same, id, event, name) "
	    "SELECT lane, 0, 0, 0, ?2, ?2, NULL, body, ?3, id, event, name "
	    "FROM call WHERE seq = ?1",
	[Q_MOVE_PAYLOAD] = "UPDATE payload SET seq = ?2 WHERE seq = ?1",

	[Q_ID_BLOCK] = "SELECT hashes FROM id_block WHERE no = ?1",
	[Q_ID_BLOCKS] = "SELECT no, hashes FROM id_block ORDER BY no DESC",
	[Q_HAS_ID] = "SELECT 1 FROM call WHERE seq = ?1 AND id = ?2",
	[Q_PUT_ID_BLOCK] = "INSERT OR REPLACE INTO id_block VALUES(?1, ?2)",

	[Q_ADD_TODO] = "INSERT INTO todo(taken, repeats, n, calls) "
	    "VALUES(?1, ?2, ?3, ?4)",
	[Q_NEXT_TODO] = "SELECT no, taken, repeats, calls FROM todo "
	    "WHERE no > ?1 ORDER BY no LIMIT 1",
	[Q_NEXT_UNSORTED] = "SELECT no, taken, repeats, calls FROM todo "
	    "WHERE no > ?1 AND repeats >= 0 ORDER BY no LIMIT 1",
	[Q_UNSORTED] = "SELECT sum(n), min(taken) FROM todo "
	    "WHERE no > ?1 AND repeats >= 0",
	[Q_KEEP_TODO] = "UPDATE todo SET repeats = -1, calls = ?2 WHERE no = ?1",
	[Q_DELETE_TODO] = "DELETE FROM todo WHERE no = ?1",

	[Q_LANE] = "SELECT " LANE_COLUMNS " FROM lane WHERE no = ?1",
	[Q_NEXT_LANE] = "SELECT " LANE_COLUMNS " FROM lane WHERE no > ?1 "
	    "ORDER BY no LIMIT 1",
	[Q_ARRIVALS] = "SELECT seq, lane FROM call WHERE seq > ?1 "
	    "ORDER BY seq LIMIT ?2",
	[Q_LAST] = "SELECT max(seq) FROM call",
	[Q_CHANGES] = "SELECT changes FROM meta",
	[Q_DUE] = "SELECT seq FROM call WHERE lane = ?1 "
	    "AND due BETWEEN ?2 AND ?3 ORDER BY due, seq LIMIT ?4",
	[Q_NEXT_DUE] = "SELECT min(due) FROM call WHERE lane = ?1 AND due > ?2",
	[Q_WAITING] = "SELECT count(*) FROM call WHERE lane = ?1 "
	    "AND due >= -1 AND seq <= ?2",
	[Q_FIRST_NEW] = "SELECT taken FROM call WHERE lane = ?1 AND due = 0 "
	    "ORDER BY seq LIMIT 1",
	[Q_LOAD] = "SELECT lane, taken, attempts, turn IS NOT NULL, text "
	    "FROM call JOIN payload USING(seq) "
	    "WHERE seq = ?1 AND due IS NOT NULL",

	[Q_RETRY] = "UPDATE call SET due = ?2, attempts = ?3 "
	    "WHERE seq = ?1 AND due IS NOT NULL",
	[Q_SETTLE] = "UPDATE call SET due = NULL, outcome = ?2, attempts = ?3, "
	    "settled = ?4, reason = ?5 WHERE seq = ?1 AND due IS NOT NULL",
	[Q_DROP_PAYLOAD] = "DELETE FROM payload WHERE seq = ?1",
	[Q_RELEASE] = "UPDATE call SET due = 0 WHERE seq = "
	    "(SELECT min(n.seq) FROM call AS n JOIN call AS c ON n.turn = c.turn "
	    "AND n.lane = c.lane WHERE c.seq = ?1 AND n.due IS NOT NULL) "
	    "AND due = -1",
	[Q_ATTEMPT] = "INSERT OR REPLACE INTO attempt "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[Q_HOUR] = "INSERT INTO hour(lane, hour, " HOUR_COLUMNS ") "
	    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
	    "?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22) "
	    "ON CONFLICT DO UPDATE SET " ADD("delivered") "," ADD("answered") ","
	    ADD("retry") "," ADD("dead") "," ADD("us") "," ADD("ms_1") ","
	    ADD("ms_2") "," ADD("ms_5") "," ADD("ms_10") "," ADD("ms_20") ","
	    ADD("ms_50") "," ADD("ms_100") "," ADD("ms_200") ","
	    ADD("ms_500") "," ADD("ms_1000") "," ADD("ms_2000") ","
	    ADD("ms_5000") "," ADD("ms_10000") "," ADD("ms_30000") ","
	    ADD("ms_more"),
	[Q_HEALTH] = "UPDATE lane SET state = ?2, failures = ?3, pauses = ?4, "
	    "failing = ?5, since = ?6, until = ?7, held = ?8, "
	    "why = coalesce(?9, '') WHERE no = ?1",
	[Q_CHANGE] = "INSERT INTO change(lane, time, state, until, why) "
	    "VALUES(?1, ?2, ?3, ?4, coalesce(?5, ''))",
	[Q_ENABLE] = "UPDATE lane SET state = 0, failures = 0, pauses = 0, "
	    "failing = 0, since = ?2, until = 0, why = '' "
	    "WHERE webhook = ?1 AND (state <> 0 OR failures > 0) RETURNING no",

	[Q_FEED] = "INSERT INTO feed "
	    "SELECT coalesce(max(no), 0) + ?1, ?2 FROM feed",
	[Q_FEED_END] = "DELETE FROM feed "
	    "WHERE no < (SELECT max(no) FROM feed) - ?1",
	[Q_FED] = "SELECT max(no) FROM feed",
	[Q_FEED_NEXT] = "SELECT no, entries FROM feed WHERE no > ?1 "
	    "ORDER BY no LIMIT 1",

	[Q_WALK] = "SELECT seq, due, outcome, settled, taken, "
	    "(SELECT (state = 2 AND since < ?2) OR (held > 0 AND held < ?2) "
	    "FROM lane WHERE no = call.lane) "
	    "FROM call WHERE seq > ?1 ORDER BY seq LIMIT ?3",
	[Q_WALK_OLD] = "SELECT seq, due IS NULL AND settled < ?2 "
	    "AND CASE ?3 WHEN 0 THEN outcome <> 4 OR NOT EXISTS("
	    "SELECT 1 FROM payload AS p WHERE p.seq = call.seq) "
	    "ELSE outcome = ?3 END "
	    "FROM call WHERE seq > ?1 AND seq < ?4 ORDER BY seq LIMIT ?5",
	[Q_DELETE] = "DELETE FROM call WHERE seq = ?1 "
	    "AND seq < (SELECT max(seq) FROM call)",
	[Q_DELETE_ATTEMPTS] = "DELETE FROM attempt WHERE call = ?1",
	[Q_DELETE_CHANGES] = "DELETE FROM change WHERE time < ?1",
	[Q_DELETE_HOURS] = "DELETE FROM hour WHERE hour < ?1 / 3600000",
	[Q_DELETE_ID_BLOCKS] = "DELETE FROM id_block "
	    "WHERE no < (SELECT min(seq) FROM call) / ?1",
	[Q_VACUUM] = "PRAGMA incremental_vacuum(256)",
	[Q_FREE_PAGES] = "PRAGMA freelist_count",
};
