package peers;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.time.Instant;

/** One decoded input event. */
final class Event {
  private static final JsonFactory JSON = new JsonFactory();

  enum Kind { STATUS, METER, START, END, OTHER }

  Kind kind = Kind.OTHER;
  String session;
  String station;
  String user;
  String status;
  long time;
  long energyWh = -1;
  long powerW = -1;

  /** Reads an event with the streaming parser: no tree and no reflection. */
  static Event decode(byte[] json) throws IOException {
    Event e = new Event();
    String type = null;
    try (JsonParser p = JSON.createParser(json)) {
      if (p.nextToken() != JsonToken.START_OBJECT) {
        throw new IOException("not an object");
      }
      while (p.nextToken() == JsonToken.FIELD_NAME) {
        String field = p.currentName();
        p.nextToken();
        switch (field) {
          case "event" -> type = p.getText();
          case "station_id" -> e.station = p.getText();
          case "session_id" -> e.session = p.getText();
          case "user_id" -> e.user = p.getText();
          case "status" -> e.status = p.getText();
          case "timestamp", "start_time", "end_time" ->
              e.time = millis(p.getTextCharacters(), p.getTextOffset(), p.getTextLength());
          case "energy_wh", "meter_start_wh", "meter_stop_wh" -> e.energyWh = p.getLongValue();
          case "power_w" -> e.powerW = p.getLongValue();
          default -> p.skipChildren();
        }
      }
    }
    if (e.station == null || e.time == 0) {
      throw new IOException("station or time missing");
    }
    if (type == null) {
      e.kind = e.status != null ? Kind.STATUS : Kind.METER;
    } else if (e.session != null) {
      e.kind = type.equals("session_start") ? Kind.START : Kind.END;
    }
    return e;
  }

  /**
   * Reads RFC 3339. Instant.parse builds a formatter's whole state for each time, which was among
   * the largest costs of an event; it is left with the forms that this does not know.
   */
  static long millis(char[] c, int at, int length) {
    boolean known = length == 20 || length == 24 && c[at + 19] == '.';
    if (!known || c[at + length - 1] != 'Z') {
      return Instant.parse(new String(c, at, length)).toEpochMilli();
    }
    long year = digits(c, at, 4);
    long month = digits(c, at + 5, 2);
    long day = digits(c, at + 8, 2);
    // Days since 1970, by the calendar whose years begin in March.
    long y = month <= 2 ? year - 1 : year;
    long m = month <= 2 ? month + 9 : month - 3;
    long days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
    long seconds = days * 86400 + digits(c, at + 11, 2) * 3600 + digits(c, at + 14, 2) * 60
        + digits(c, at + 17, 2);
    return seconds * 1000 + (length == 24 ? digits(c, at + 20, 3) : 0);
  }

  private static long digits(char[] c, int at, int n) {
    long value = 0;
    for (int i = at; i < at + n; i++) {
      if (c[i] < '0' || c[i] > '9') {
        throw new IllegalArgumentException("not a digit in a time: " + c[i]);
      }
      value = 10 * value + c[i] - '0';
    }
    return value;
  }
}
