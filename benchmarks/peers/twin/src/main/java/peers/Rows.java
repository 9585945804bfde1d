package peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** The rows of the stores. They are binary: state is read and written more often than sent. */
final class Rows {
  /** What most rows need; a longer one gets a buffer of its own. */
  private static final int SCRATCH = 1024;

  private Rows() {}

  /** Writes fields into a buffer that is used again for each row. A processor has its own. */
  static final class Writer {
    private ByteBuffer buf = ByteBuffer.allocate(SCRATCH);

    Writer begin() {
      buf.clear();
      return this;
    }

    Writer text(String s) {
      byte[] b = s == null ? new byte[0] : s.getBytes(StandardCharsets.UTF_8);
      need(2 + b.length);
      buf.putShort((short) b.length).put(b);
      return this;
    }

    Writer number(long n) {
      need(8);
      buf.putLong(n);
      return this;
    }

    byte[] end() {
      return Arrays.copyOf(buf.array(), buf.position());
    }

    private void need(int bytes) {
      if (buf.remaining() < bytes) {
        int larger = 2 * buf.capacity() + bytes;
        buf = ByteBuffer.wrap(Arrays.copyOf(buf.array(), larger)).position(buf.position());
      }
    }
  }

  private static String text(ByteBuffer b) {
    int length = b.getShort();
    String s = new String(b.array(), b.position(), length, StandardCharsets.UTF_8);
    b.position(b.position() + length);
    return s;
  }

  /** What a station does now, since when, its running session and its last reading. */
  static final class Station {
    String status = "free";
    String session = "";
    long since;
    long lastSeen;
    long energyWh = -1;
    long powerW;
    long events;

    byte[] encode(Writer w) {
      return w.begin().text(status).text(session).number(since).number(lastSeen).number(energyWh)
          .number(powerW).number(events).end();
    }

    static Station decode(byte[] row) {
      Station s = new Station();
      if (row == null) {
        return s;
      }
      ByteBuffer b = ByteBuffer.wrap(row);
      s.status = text(b);
      s.session = text(b);
      s.since = b.getLong();
      s.lastSeen = b.getLong();
      s.energyWh = b.getLong();
      s.powerW = b.getLong();
      s.events = b.getLong();
      return s;
    }
  }

  /** What is known of a session. */
  static final class Session {
    String station = "";
    String user = "";
    long start;
    long end;
    long first = -1;
    long last = -1;
    long lastTime;
    long peakW;
    long samples;
    boolean invoiced;

    byte[] encode(Writer w) {
      return w.begin().text(station).text(user).number(start).number(end).number(first)
          .number(last).number(lastTime).number(peakW).number(samples).number(invoiced ? 1 : 0)
          .end();
    }

    static Session decode(byte[] row) {
      Session s = new Session();
      if (row == null) {
        return s;
      }
      ByteBuffer b = ByteBuffer.wrap(row);
      s.station = text(b);
      s.user = text(b);
      s.start = b.getLong();
      s.end = b.getLong();
      s.first = b.getLong();
      s.last = b.getLong();
      s.lastTime = b.getLong();
      s.peakW = b.getLong();
      s.samples = b.getLong();
      s.invoiced = b.getLong() == 1;
      return s;
    }
  }
}
