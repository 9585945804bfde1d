package peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The fold: a station table, a session table and hourly windows of utilization, and what is derived
 * of them. It does less than chargestream: no tariffs, holds, corrections and decisions, no rows
 * that do not depend on the order of events, no timers.
 */
final class Fold implements Processor<String, byte[], String, byte[]> {
  static final String STATIONS = "stations";
  static final String SESSIONS = "sessions";
  static final String HOURS = "utilization";

  static final String INVOICES_OUT = "invoices-out";
  static final String ANOMALIES_OUT = "anomalies-out";
  static final String UTILIZATION_OUT = "utilization-out";
  static final String DEAD_LETTERS_OUT = "dead-letters-out";

  private static final long HOUR_MS = 3_600_000;
  private static final long LATE_MS = HOUR_MS;

  /** Counts the events of all tasks, for the end of a run. */
  private final LongAdder folded;
  private final Rows.Writer writer = new Rows.Writer();
  private ProcessorContext<String, byte[]> context;
  private KeyValueStore<String, byte[]> stations;
  private KeyValueStore<String, byte[]> sessions;
  private KeyValueStore<String, byte[]> hours;

  Fold(LongAdder folded) {
    this.folded = folded;
  }

  @Override
  public void init(ProcessorContext<String, byte[]> c) {
    context = c;
    stations = c.getStateStore(STATIONS);
    sessions = c.getStateStore(SESSIONS);
    hours = c.getStateStore(HOURS);
  }

  @Override
  public void process(Record<String, byte[]> record) {
    folded.increment();
    Event e;
    try {
      e = Event.decode(record.value());
    } catch (Exception x) {
      context.forward(record, DEAD_LETTERS_OUT);
      return;
    }
    Rows.Station s = Rows.Station.decode(stations.get(e.station));
    if (e.time < s.lastSeen - LATE_MS) {
      anomaly("late", e);
    }
    s.events++;
    if (s.status.equals("occupied") && e.time > s.lastSeen && s.lastSeen > 0) {
      occupied(e.station, s.lastSeen, e.time);
    }
    switch (e.kind) {
      case STATUS -> {
        if (!e.status.equals(s.status)) {
          s.status = e.status;
          s.since = e.time;
        }
      }
      case METER -> meter(s, e);
      case START -> start(s, e);
      case END -> end(s, e);
      default -> { }
    }
    s.lastSeen = Math.max(s.lastSeen, e.time);
    stations.put(e.station, s.encode(writer));
  }

  private void meter(Rows.Station s, Event e) {
    if (e.energyWh < s.energyWh) {
      anomaly("meter_regression", e);
    }
    s.energyWh = e.energyWh;
    s.powerW = e.powerW;
    if (e.session == null) {
      return;
    }
    Rows.Session one = Rows.Session.decode(sessions.get(e.session));
    if (one.first < 0) {
      one.first = e.energyWh;
    }
    if (e.time >= one.lastTime) {
      one.last = e.energyWh;
      one.lastTime = e.time;
    }
    one.peakW = Math.max(one.peakW, e.powerW);
    one.samples++;
    sessions.put(e.session, one.encode(writer));
  }

  private void start(Rows.Station s, Event e) {
    Rows.Session one = Rows.Session.decode(sessions.get(e.session));
    one.station = e.station;
    one.user = e.user;
    one.start = e.time;
    if (e.energyWh >= 0) {
      one.first = e.energyWh;
    }
    sessions.put(e.session, one.encode(writer));
    s.session = e.session;
  }

  private void end(Rows.Station s, Event e) {
    Rows.Session one = Rows.Session.decode(sessions.get(e.session));
    one.end = e.time;
    if (e.energyWh >= 0) {
      one.last = e.energyWh;
    }
    if (!one.invoiced && one.start > 0) {
      one.invoiced = true;
      long energyWh = one.last - one.first;
      long cents = Math.round(energyWh * 0.045)
          + Math.round((one.end - one.start) / 60000.0 * 2);
      send(INVOICES_OUT, e.session, "{\"invoice_id\":\"inv-" + e.session
          + "\",\"session_id\":\"" + e.session + "\",\"station_id\":\"" + e.station
          + "\",\"user_id\":\"" + one.user + "\",\"energy_wh\":" + energyWh
          + ",\"amount_cents\":" + cents + "}", e.time);
    }
    sessions.put(e.session, one.encode(writer));
    if (e.session.equals(s.session)) {
      s.session = "";
    }
  }

  /** Adds the span [from, to) to the hours that it covers, and sends those that are over. */
  private void occupied(String station, long from, long to) {
    for (long h = from / HOUR_MS * HOUR_MS; h < to; h += HOUR_MS) {
      String key = station + "|" + h;
      byte[] row = hours.get(key);
      long ms = row == null ? 0 : ByteBuffer.wrap(row).getLong();
      ms += Math.min(to, h + HOUR_MS) - Math.max(from, h);
      hours.put(key, writer.begin().number(ms).end());
      if (to >= h + HOUR_MS) {
        send(UTILIZATION_OUT, station, "{\"station_id\":\"" + station
            + "\",\"window_start\":\"" + Instant.ofEpochMilli(h) + "\",\"occupied_s\":"
            + ms / 1000 + "}", to);
      }
    }
  }

  private void anomaly(String kind, Event e) {
    send(ANOMALIES_OUT, e.station, "{\"kind\":\"" + kind + "\",\"station_id\":\"" + e.station
        + "\"}", e.time);
  }

  private void send(String sink, String key, String json, long time) {
    context.forward(new Record<>(key, json.getBytes(StandardCharsets.UTF_8), time), sink);
  }
}
