-- What `hip3 report` says of a records directory, without its intervals, by DuckDB over the files as they
-- lie there. report_duckdb.py sets the variables and makes JSON of the tables that are named in capitals'
-- stead at the end: counts, trips, edge, histogram, decay, survival, points, ends, hours, sessions, gates.
--
-- Groups are told by market and side: a null side is both sides, a null market is the total.
-- Times are nanoseconds since 1970, waits microseconds, latencies and exits milliseconds.

-- ---------------------------------------------------------------------------------------------- signals

-- When not everything was seen. The start of a run hides nothing that had been there.
CREATE TABLE blind AS
SELECT epoch_ns(ended_at) AS ended,
       -- Gaps may overlap: the earliest beginning among those that end no sooner.
       min(epoch_ns(started_at)) OVER (ORDER BY epoch_ns(ended_at) DESC) AS opened
FROM gaps
WHERE cause <> 'start';

CREATE TABLE signal AS
WITH told AS (
    SELECT signal_id, market, side, epoch_ns(detected_at) AS at_ns, cross_id, cross_age_ms, oracle_px,
           CASE side WHEN 'buy' THEN ask_px ELSE bid_px END::DOUBLE AS entry,
           suggested_sz::DOUBLE AS sz, suggested_notional < 10 AS below_minimum,
           -- A filter that blocked is no gate, and kept the signal out like one.
           CASE WHEN decision LIKE 'filtered:%' THEN decision ELSE blocked_by END AS blocked_by,
           gate_mask, raw_edge_bps AS raw, net_edge_bps AS net,
           coalesce(getvariable('fee_bps')::DOUBLE,
                    greatest(0, raw_edge_bps - net_edge_bps - charge.slippage_bps) / charge.fee_sides) AS fee,
           (detected_at AT TIME ZONE 'UTC')::DATE AS day,
           hour(detected_at AT TIME ZONE 'UTC') AS hour,
           detected_at AT TIME ZONE getvariable('time_zone') AS local
    FROM signals ASOF JOIN charge ON epoch_ns(detected_at) >= began
),
-- A signal goes on with the episode of the one before it: the same cross, or the same print.
begun AS (
    SELECT *,
           coalesce(cross_id <> lag(cross_id) OVER before AND oracle_px <> lag(oracle_px) OVER before,
                    true)::INTEGER AS begins
    FROM told
    WINDOW before AS (PARTITION BY market, day ORDER BY at_ns, signal_id)
),
numbered AS (
    SELECT *,
           sum(begins) OVER (PARTITION BY market, day ORDER BY at_ns, signal_id) AS episode_of_day,
           CASE
               WHEN isodow(local) > 5 THEN 'weekend'
               WHEN local::DATE IN (SELECT day FROM holidays) THEN 'holiday'
               WHEN local::TIME >= '04:00' AND local::TIME < '09:30' THEN 'pre'
               WHEN local::TIME >= '09:30' AND local::TIME < '16:00' THEN 'regular'
               WHEN local::TIME >= '16:00' AND local::TIME < '20:00' THEN 'post'
               ELSE 'overnight'
           END AS session
    FROM begun
)
SELECT numbered.* EXCLUDE (local, begins, episode_of_day),
       dense_rank() OVER (ORDER BY market, day, episode_of_day) AS episode,
       -- How long after it everything was seen; null for ever.
       -- (`greatest` passes over nulls, so that it must not meet one.)
       CASE WHEN opened IS NOT NULL THEN greatest(opened - at_ns, 0) / 1e6 END AS clear_ms
FROM numbered ASOF LEFT JOIN blind ON at_ns <= ended;

-- ---------------------------------------------------------------------------------------------- crosses

CREATE TABLE wait AS
WITH last_seen AS (
    SELECT max(at_ns) AS at_ns FROM (
        SELECT max(at_ns) AS at_ns FROM signal
        UNION ALL SELECT max(epoch_ns(captured_at)) FROM followup
        UNION ALL SELECT max(epoch_ns(captured_at)) FROM entries
        UNION ALL SELECT max(epoch_ns(ended_at)) FROM crosses
        UNION ALL SELECT max(epoch_ns(ended_at)) FROM gaps)
),
-- Signals name crosses that have no row yet: they go on.
open_cross AS (
    SELECT cross_id, market, side,
           (any_value(last_seen.at_ns) - min(signal.at_ns)) // 1000 + arg_min(cross_age_ms, signal.at_ns) * 1000 AS us
    FROM signal ANTI JOIN crosses USING (cross_id) CROSS JOIN last_seen
    GROUP BY ALL
)
SELECT 'survival' AS what, market, side, coalesce(quote_survival_us, duration_us) AS us,
       quote_survival_us IS NOT NULL AS ended
FROM crosses
-- Nobody knows what became of the quote of a process that died, or of a cross that has no row.
WHERE quote_survival_us IS NOT NULL OR end_reason <> 'killed'
UNION ALL
SELECT 'duration', market, side, duration_us, end_reason IN ('quote', 'oracle', 'no_quote') FROM crosses
UNION ALL
SELECT 'duration', market, side, us, false FROM open_cross;

-- Kaplan–Meier: at each moment at which something ended, the share that it left of those at risk.
CREATE TABLE curve AS
WITH moment AS (
    SELECT what, market, side, us, count(*) AS leaving, count(*) FILTER (ended) AS events
    FROM wait
    GROUP BY ROLLUP (market, side), what, us
),
risk AS (
    SELECT *, sum(leaving) OVER (PARTITION BY what, market, side ORDER BY us DESC) AS at_risk FROM moment
)
SELECT what, market, side, us, leaving, events,
       -- The logarithm of nothing left is minus infinity, and its exponential nothing.
       CASE WHEN bool_or(events = at_risk) OVER so_far THEN 0
            ELSE exp(sum(CASE WHEN events < at_risk THEN ln(1 - events / at_risk) END) OVER so_far) END AS s,
       sum(CASE WHEN events < at_risk THEN events / (at_risk * (at_risk - events)) END) OVER so_far AS greenwood
FROM risk
WINDOW so_far AS (PARTITION BY what, market, side ORDER BY us);

-- ---------------------------------------------------------------------------------------------- trips

-- The share of the suggested size that an order gets which arrives so late; null when unseen.
CREATE TABLE probe AS
SELECT signal_id, latency_ms,
       CASE WHEN status = 'captured' AND fillable_sz IS NOT NULL AND sz > 0
            THEN least(greatest(fillable_sz::DOUBLE / sz, 0), 1) END AS f
FROM entries JOIN signal USING (signal_id);

CREATE TABLE latencies AS SELECT DISTINCT latency_ms FROM entries;

-- The probes around the latency that was asked for; at a probe both are that one.
CREATE TABLE around AS
SELECT (SELECT coalesce(max(latency_ms), 0) FROM latencies WHERE latency_ms <= getvariable('latency_ms')) AS a,
       (SELECT min(latency_ms) FROM latencies WHERE latency_ms >= getvariable('latency_ms')) AS b;

CREATE TABLE fill AS
WITH
-- Survival of the market's quotes, both sides, at those three moments.
stands AS (
    SELECT market, min(s) FILTER (us <= a * 1000) AS at_a,
           min(s) FILTER (us <= getvariable('latency_ms') * 1000) AS at_l, min(s) FILTER (us <= b * 1000) AS at_b
    FROM curve, around
    WHERE what = 'survival' AND side IS NULL AND market IS NOT NULL
    GROUP BY market
),
share AS (
    SELECT market, a, b, coalesce(at_a, 1) AS s_a, coalesce(at_l, 1) AS s_l, coalesce(at_b, 1) AS s_b,
           CASE WHEN s_a > s_b THEN (s_l - s_b) / (s_a - s_b)
                ELSE (b - getvariable('latency_ms'))::DOUBLE / nullif(b - a, 0) END AS w
    FROM (SELECT DISTINCT market FROM signal) LEFT JOIN stands USING (market) CROSS JOIN around
),
between_probes AS (
    SELECT signal.signal_id, later.f + w * (CASE a WHEN 0 THEN 1 ELSE sooner.f END - later.f) AS f
    FROM signal JOIN share USING (market)
    LEFT JOIN probe AS sooner ON sooner.signal_id = signal.signal_id AND sooner.latency_ms = a
    JOIN probe AS later ON later.signal_id = signal.signal_id AND later.latency_ms = b
    WHERE a < b AND getvariable('latency_ms') > 0
)
SELECT signal_id, latency_ms, f FROM probe
UNION ALL
SELECT signal_id, getvariable('latency_ms')::INTEGER, f FROM between_probes
UNION ALL
SELECT signal_id, 0, 1 FROM signal WHERE getvariable('latency_ms') = 0;

CREATE VIEW leave AS
SELECT signal_id, offset_ms AS exit_ms,
       CASE side WHEN 'buy' THEN bid_px ELSE ask_px END::DOUBLE AS exit,
       CASE side WHEN 'buy' THEN bid_sz ELSE ask_sz END::DOUBLE AS exit_sz
FROM followup
WHERE status = 'captured';

-- Every signal at every latency and exit: which door it leaves by, and what it was worth.
CREATE VIEW trip AS
WITH net AS (
    SELECT signal.*, latency_ms, exit_ms, f, exit, exit_sz, leave.signal_id IS NOT NULL AS exit_seen,
           CASE side WHEN 'buy' THEN 1e4 * (exit - entry) / entry ELSE 1e4 * (entry - exit) / entry END
               - fee * (1 + exit / entry) - getvariable('priority_bps') AS net_bps
    FROM signal
    CROSS JOIN (SELECT latency_ms FROM latencies UNION SELECT getvariable('latency_ms')) AS all_latencies
    CROSS JOIN (VALUES (1000), (3000), (5000)) AS all_exits(exit_ms)
    LEFT JOIN fill USING (signal_id, latency_ms)
    LEFT JOIN leave USING (signal_id, exit_ms)
    -- Nobody leaves before he has entered.
    WHERE latency_ms < exit_ms
)
SELECT *,
       CASE WHEN below_minimum THEN 'below_minimum'
            WHEN clear_ms <= exit_ms THEN 'in_gap'
            WHEN f IS NULL OR NOT exit_seen THEN 'unseen'
            WHEN f > 0 AND exit IS NULL THEN 'no_exit'
            ELSE 'valued' END AS door,
       CASE WHEN f > 0 THEN f * net_bps ELSE 0 END AS value_bps,
       CASE WHEN f > 0 THEN f * sz * entry * net_bps / 1e4 ELSE 0 END AS usd,
       f > 0 AND exit_sz < f * sz AS thin
FROM net;


CREATE TABLE trips AS
SELECT market, side, latency_ms, exit_ms, count(*) AS n,
       count(*) FILTER (f > 0) AS fills, count(*) FILTER (f > 0 AND net_bps > 0) AS wins,
       sum(f) / count(*) AS fill_rate, wins / nullif(fills, 0) AS win_rate,
       sum(value_bps) / count(*) AS mean_value_bps, sum(value_bps) / nullif(sum(f), 0) AS mean_net_bps,
       quantile_disc(net_bps, 0.5) FILTER (f > 0) AS median_net_bps,
       sum(usd) AS usd, sum(usd) / count(*) AS usd_mean, count(*) FILTER (thin) AS thin_exits
FROM trip
WHERE blocked_by IS NULL AND door = 'valued'
GROUP BY ROLLUP (market, side), latency_ms, exit_ms;

-- From here on all is at the latency and exit that were asked for.
CREATE TABLE chosen AS
SELECT * FROM trip
WHERE latency_ms = getvariable('latency_ms') AND exit_ms = getvariable('exit_ms');

CREATE TABLE counts AS
SELECT market, side, count(*) AS signals, count(blocked_by) AS blocked,
       count(*) FILTER (blocked_by IS NULL AND door = 'below_minimum') AS below_minimum,
       count(*) FILTER (blocked_by IS NULL AND door = 'in_gap') AS in_gap,
       count(*) FILTER (blocked_by IS NULL AND door = 'unseen') AS unseen,
       count(*) FILTER (blocked_by IS NULL AND door = 'no_exit') AS no_exit,
       count(*) FILTER (blocked_by IS NULL AND door = 'valued') AS valued,
       count(DISTINCT episode) FILTER (blocked_by IS NULL AND door = 'valued') AS episodes
FROM chosen
GROUP BY ROLLUP (market, side);

CREATE TABLE hours AS
SELECT market, side, hour, count(*) AS signals, count(DISTINCT episode) FILTER (door = 'valued') AS episodes,
       sum(value_bps) FILTER (door = 'valued') / nullif(count(*) FILTER (door = 'valued'), 0) AS mean_value_bps,
       coalesce(sum(usd) FILTER (door = 'valued'), 0) AS usd
FROM chosen WHERE blocked_by IS NULL
GROUP BY ALL;

CREATE TABLE sides AS
SELECT side, count(*) AS signals, count(DISTINCT episode) FILTER (door = 'valued') AS episodes,
       sum(value_bps) FILTER (door = 'valued') / nullif(count(*) FILTER (door = 'valued'), 0) AS mean_value_bps,
       coalesce(sum(usd) FILTER (door = 'valued'), 0) AS usd
FROM chosen WHERE blocked_by IS NULL
GROUP BY ALL;

CREATE TABLE sessions AS
SELECT market, session, count(*) AS signals, count(DISTINCT episode) FILTER (door = 'valued') AS episodes,
       sum(value_bps) FILTER (door = 'valued') / nullif(count(*) FILTER (door = 'valued'), 0) AS mean_value_bps,
       coalesce(sum(usd) FILTER (door = 'valued'), 0) AS usd
FROM chosen WHERE blocked_by IS NULL
GROUP BY ALL;

-- What each gate kept out first, valued as if it had not; and how often no other would have.
CREATE TABLE gates AS
WITH gate AS (
    SELECT unnest(['BboUpdate', 'CtxUpdate', 'TimeRegression', 'MarkMidDivergence', 'SpreadShock', 'OiCap',
                   'ParamChange', 'Halt']) AS gate,
           unnest(range(8)) AS bit
)
SELECT gate, count(signal_id) AS first, count(*) FILTER (gate_mask = 1 << bit) AS alone,
       count(*) FILTER (door = 'valued') AS n,
       count(*) FILTER (door = 'valued' AND f > 0) AS fills,
       count(*) FILTER (door = 'valued' AND f > 0 AND net_bps > 0) AS wins,
       sum(f) FILTER (door = 'valued') / nullif(n, 0) AS fill_rate, wins / nullif(fills, 0) AS win_rate,
       sum(value_bps) FILTER (door = 'valued') / nullif(n, 0) AS mean_value_bps,
       sum(value_bps) FILTER (door = 'valued') / nullif(sum(f) FILTER (door = 'valued'), 0) AS mean_net_bps,
       quantile_disc(net_bps, 0.5) FILTER (door = 'valued' AND f > 0) AS median_net_bps,
       coalesce(sum(usd) FILTER (door = 'valued'), 0) AS usd,
       sum(usd) FILTER (door = 'valued') / nullif(n, 0) AS usd_mean,
       count(*) FILTER (door = 'valued' AND thin) AS thin_exits
FROM gate LEFT JOIN chosen ON blocked_by = gate
GROUP BY gate, bit
ORDER BY bit;

-- ---------------------------------------------------------------------------------------------- edge

-- Percentiles by nearest rank: the least value that so large a share does not exceed.
CREATE TABLE edge AS
SELECT market, side, quantile_disc(raw, [0.1, 0.25, 0.5, 0.75, 0.9, 0.99]) AS raw, avg(raw) AS raw_mean,
       quantile_disc(net, [0.1, 0.25, 0.5, 0.75, 0.9, 0.99]) AS net, avg(net) AS net_mean
FROM signal
WHERE blocked_by IS NULL
GROUP BY ROLLUP (market, side);

CREATE TABLE histogram AS
SELECT market, side, least(greatest(floor(raw), 0), 200)::INTEGER AS bps, count(*) AS signals
FROM signal
WHERE blocked_by IS NULL
GROUP BY ROLLUP (market, side), bps;

-- Only signals whose edge is known all along, so that the means are of the same ones. The share that is left
-- takes each episode once.
CREATE TABLE decay AS
WITH later AS (
    SELECT signal_id, max(raw_edge_bps) FILTER (offset_ms = 1000) AS raw_1000,
           max(raw_edge_bps) FILTER (offset_ms = 3000) AS raw_3000,
           max(raw_edge_bps) FILTER (offset_ms = 5000) AS raw_5000
    FROM followup
    WHERE status = 'captured' AND raw_edge_bps IS NOT NULL
    GROUP BY signal_id HAVING count(*) = 3
),
known AS (SELECT * FROM signal JOIN later USING (signal_id) WHERE blocked_by IS NULL),
-- A null side is both.
of_episode AS (
    SELECT market, side, avg(raw) AS first, avg(raw_5000) AS last
    FROM known GROUP BY GROUPING SETS ((market, side, episode), (market, episode))
),
left_over AS (
    SELECT market, side, sum(last) / sum(first) AS retained FROM of_episode GROUP BY market, side
    UNION ALL SELECT NULL, NULL, sum(last) / sum(first) FROM of_episode WHERE side IS NULL
),
means AS (
    SELECT market, side, count(*) AS n, avg(raw) AS mean_0, avg(raw_1000) AS mean_1000, avg(raw_3000) AS mean_3000,
           avg(raw_5000) AS mean_5000
    FROM known GROUP BY ROLLUP (market, side)
)
SELECT means.*, retained
FROM means JOIN left_over
  ON means.market IS NOT DISTINCT FROM left_over.market AND means.side IS NOT DISTINCT FROM left_over.side;

-- ---------------------------------------------------------------------------------------------- survival

CREATE TABLE survival AS
SELECT what, market, side, sum(leaving) AS crosses, sum(events) AS events,
       -- A half that is reached exactly may come out of the logarithms a trifle above it.
       min(us) FILTER (s <= 0.5 + 1e-10) / 1e3 AS median_ms
FROM curve
GROUP BY what, market, side;

-- The Greenwood interval on the log-log scale, which keeps it within 0 and 1.
CREATE TABLE points AS
WITH asked AS (SELECT unnest([50, 100, 200, 400, 900, 1000, 2000, 3000, 5000]) AS ms),
read AS (
    SELECT what, market, side, ms, coalesce(arg_max(s, us) FILTER (us <= ms * 1000), 1) AS s,
           arg_max(greenwood, us) FILTER (us <= ms * 1000) AS greenwood
    FROM curve, asked
    GROUP BY what, market, side, ms
)
SELECT *, CASE WHEN s > 0 AND s < 1 THEN s ** exp(getvariable('z') * sqrt(greenwood) / abs(ln(s))) END AS low,
       CASE WHEN s > 0 AND s < 1 THEN s ** exp(-getvariable('z') * sqrt(greenwood) / abs(ln(s))) END AS high
FROM read;

CREATE TABLE ends AS
SELECT market, side, end_reason, count(*) AS crosses
FROM crosses
GROUP BY ROLLUP (market, side), end_reason;

CREATE TABLE opens AS
SELECT (SELECT count(*) FROM crosses) AS crosses,
       (SELECT count(DISTINCT cross_id) FROM signal ANTI JOIN crosses USING (cross_id)) AS open_crosses;

CREATE TABLE gap_s AS
SELECT cause, sum(epoch_ns(ended_at) - epoch_ns(started_at))::DOUBLE / 1e9 AS seconds
FROM gaps
GROUP BY cause;

-- ---------------------------------------------------------------------------------------------- trading

CREATE TABLE entry_sums AS
SELECT count(*) AS entries, count(sent_at) AS sent, count(*) FILTER (outcome = 'filled') AS filled,
       count(*) FILTER (outcome = 'partially_filled') AS partially_filled,
       -- Against the price that the signal touched; worse is positive.
       avg(CASE orders.side WHEN 'buy' THEN 1e4 ELSE -1e4 END * (avg_px::DOUBLE - entry) / entry) AS slippage_bps
FROM orders LEFT JOIN signal USING (signal_id)
WHERE reason = 'entry';

CREATE TABLE entry_outcomes AS
SELECT outcome, count(*) AS orders, count(answer_latency_ns) AS n,
       quantile_disc(answer_latency_ns, [0.5, 0.9, 0.99]) AS answer_ns
FROM orders
WHERE reason = 'entry'
GROUP BY outcome;

CREATE TABLE refusals AS
SELECT refusal, count(*) AS orders FROM orders WHERE reason = 'entry' AND refusal IS NOT NULL GROUP BY refusal;

-- How much of what was asked for was filled, by how fast the answer came.
CREATE TABLE answered_within AS
SELECT CASE WHEN answer_latency_ns < 1e8 THEN 100 WHEN answer_latency_ns < 2e8 THEN 200
            WHEN answer_latency_ns < 4e8 THEN 400 WHEN answer_latency_ns < 9e8 THEN 900 END AS below_ms,
       count(*) AS n, avg(filled::DOUBLE / sz::DOUBLE) AS fill_rate
FROM orders
WHERE reason = 'entry' AND answer_latency_ns IS NOT NULL
GROUP BY below_ms;

CREATE TABLE entry_fees AS
SELECT coalesce(sum(orders.fee::DOUBLE), 0) AS paid,
       coalesce(sum(filled::DOUBLE * avg_px::DOUBLE * signal.fee / 1e4), 0) AS expected
FROM orders JOIN signal USING (signal_id)
WHERE reason = 'entry' AND avg_px IS NOT NULL;

CREATE TABLE trade_sums AS
SELECT count(*) AS n, count(*) FILTER (pnl > 0) AS wins, coalesce(sum(pnl_before_fees), 0)::DOUBLE AS usd_before_fees,
       coalesce(sum(fees), 0)::DOUBLE AS fees, coalesce(sum(pnl), 0)::DOUBLE AS usd,
       quantile_disc(holding_ms, 0.5)::DOUBLE AS holding_ms_p50
FROM trades;

CREATE TABLE trade_exits AS
SELECT exit_reason, count(*) AS trades FROM trades GROUP BY exit_reason;

-- What these fills would have earned, left at the exit that was asked for.
CREATE TABLE expectation AS
SELECT count(*) AS n, coalesce(sum(net_bps * trades.sz::DOUBLE * entry / 1e4), 0) AS expected_usd,
       coalesce(sum(pnl), 0)::DOUBLE AS realised_usd,
       (realised_usd - expected_usd) / nullif(n, 0) AS mean_difference_usd
FROM trades JOIN chosen USING (signal_id)
WHERE door = 'valued' AND net_bps IS NOT NULL;
