package peers;

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.state.Stores;

/**
 * The twin: the job of chargestream, as a Kafka Streams engineer would write it. One sub-topology
 * keyed by station with three persistent stores, each with its changelog, exactly once.
 *
 * <p>Arguments are name=value: brokers, state, and until, the number of events after which it ends.
 * It prints a line "ready" when its stores are restored and its inputs are read.
 */
public final class Twin {
  private static final String APPLICATION = "twin";
  private static final String SOURCE = "in";
  private static final String FOLD = "fold";
  private static final List<String> OUTPUTS =
      List.of("invoices", "anomalies", "utilization", "dead-letters");
  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(60);

  private Twin() {}

  public static void main(String[] args) throws InterruptedException {
    Map<String, String> options = new HashMap<>();
    for (String arg : args) {
      int i = arg.indexOf('=');
      options.put(arg.substring(0, i), arg.substring(i + 1));
    }
    long until = Long.parseLong(options.getOrDefault("until", "0"));
    LongAdder folded = new LongAdder();
    AtomicBoolean failed = new AtomicBoolean();
    CountDownLatch stop = new CountDownLatch(1);
    KafkaStreams streams = new KafkaStreams(topology(folded), config(options));
    streams.setUncaughtExceptionHandler(x -> {
      x.printStackTrace();
      failed.set(true);
      stop.countDown();
      return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    streams.setStateListener((now, before) -> {
      if (now == KafkaStreams.State.RUNNING) {
        System.out.println("ready");
      }
    });
    Thread main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      stop.countDown();
      try {
        main.join(); // which halts when all is closed
      } catch (InterruptedException x) {
        Thread.currentThread().interrupt();
      }
    }));
    long began = System.nanoTime();
    streams.start();
    while (!stop.await(5, TimeUnit.MILLISECONDS) && (until == 0 || folded.sum() < until)) { }
    // This member leaves the group. By default its partitions would stay assigned to it until its
    // session times out, and a restore would be measured with that wait.
    boolean closed = streams.close(CloseOptions.timeout(CLOSE_LIMIT)
        .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
    System.out.printf(Locale.ROOT, "folded %d events in %.3f s%n", folded.sum(),
        (System.nanoTime() - began) / 1e9);
    System.out.flush();
    Runtime.getRuntime().halt(closed && !failed.get() ? 0 : 1);
  }

  static Topology topology(LongAdder folded) {
    Topology t = new Topology();
    t.addSource(SOURCE, Serdes.String().deserializer(), Serdes.ByteArray().deserializer(),
        "station-status", "charging-sessions", "meter-values");
    t.addProcessor(FOLD, () -> new Fold(folded), SOURCE);
    for (String store : List.of(Fold.STATIONS, Fold.SESSIONS, Fold.HOURS)) {
      // A store with a cache writes a row once a commit, to RocksDB and to the changelog, and not
      // once an event. Processor API stores have none by default.
      t.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(store),
          Serdes.String(), Serdes.ByteArray()).withCachingEnabled().withLoggingEnabled(Map.of()),
          FOLD);
    }
    for (String output : OUTPUTS) {
      t.addSink(output + "-out", APPLICATION + "-" + output, Serdes.String().serializer(),
          Serdes.ByteArray().serializer(), FOLD);
    }
    return t;
  }

  /**
   * What differs from the defaults, and why. Left alone on purpose are
   *
   * <ul>
   *   <li>topology.optimization, which rewrites what StreamsBuilder makes. This topology is made by
   *       hand and has what the optimisation aims at: one sub-topology, no repartition topic.
   *   <li>max.task.idle.ms=0: a task takes the record with the smallest timestamp of its topics,
   *       and waits for a topic that is known to have more.
   *   <li>group.protocol=classic: the streams protocol learns of assignments by heartbeats, and
   *       waits three seconds for further members when a group is new.
   *   <li>linger.ms=100, which Kafka Streams sets itself: a commit flushes what waits.
   * </ul>
   */
  static Properties config(Map<String, String> options) {
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, APPLICATION);
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("brokers"));
    p.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state"));
    p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");

    // The same promise as that of chargestream, and the same commit interval. The latter is the
    // default of exactly-once; it is written down as it decides how often rows are written.
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    // One for each core of the machine that the results are from; the default is one in all.
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    // The cache holds rows beyond a commit, too. 10 MiB for all stores would hold a part of the
    // stations only; chargestream has 128 MiB.
    p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L << 20);
    p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, SharedMemory.class);
    // A poll may give more than 1,000 records, and a partition is paused for 5,000 that wait and
    // not for 1,000: between polls the threads would run dry.
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5000);
    p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5000);
    // Fewer and larger requests: 4 MiB of a partition and not 1 MiB, buffers by the kernel.
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
    p.put(StreamsConfig.consumerPrefix(ConsumerConfig.RECEIVE_BUFFER_CONFIG), -1);
    p.put(StreamsConfig.restoreConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10000);
    p.put(StreamsConfig.restoreConsumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG),
        4 << 20);
    // Batches of 256 KiB and not 16 KiB, compressed: a commit of 100 ms fills them.
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64L << 20);
    p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
    // The broker has no one to push metrics to.
    p.put(StreamsConfig.ENABLE_METRICS_PUSH_CONFIG, false);
    return p;
  }
}
