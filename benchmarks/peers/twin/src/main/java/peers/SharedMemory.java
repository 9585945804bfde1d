package peers;

import java.util.Map;
import org.apache.kafka.streams.state.RocksDBConfigSetter;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.Cache;
import org.rocksdb.LRUCache;
import org.rocksdb.Options;
import org.rocksdb.WriteBufferManager;

/**
 * Bounds the memory of all RocksDB instances together, as the documentation of Kafka Streams
 * recommends. By default each store of each partition has a block cache of 50 MiB and three
 * memtables of 16 MiB: twelve instances could take more than 1 GiB beside the heap.
 */
public final class SharedMemory implements RocksDBConfigSetter {
  private static final long CACHE_BYTES = 256L << 20;
  /** Memtables are counted in the cache; this much of it is theirs. */
  private static final long MEMTABLE_BYTES = 128L << 20;
  private static final int SHARD_BITS = -1; // RocksDB chooses
  private static final double INDEX_SHARE = 0.1;

  private static final Cache CACHE = new LRUCache(CACHE_BYTES, SHARD_BITS, false, INDEX_SHARE);
  private static final WriteBufferManager MEMTABLES =
      new WriteBufferManager(MEMTABLE_BYTES, CACHE);

  @Override
  public void setConfig(String store, Options options, Map<String, Object> configs) {
    BlockBasedTableConfig table = (BlockBasedTableConfig) options.tableFormatConfig();
    table.setBlockCache(CACHE);
    table.setCacheIndexAndFilterBlocks(true);
    table.setCacheIndexAndFilterBlocksWithHighPriority(true);
    table.setPinTopLevelIndexAndFilter(true);
    options.setWriteBufferManager(MEMTABLES);
    options.setTableFormatConfig(table);
  }

  @Override
  public void close(String store, Options options) {
    // Cache and memtables are shared by all stores, and live as long as the process.
  }
}
