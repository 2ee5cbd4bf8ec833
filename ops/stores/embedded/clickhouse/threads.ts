// How many statements the embedded ClickHouse runs at a time, and the threads this takes.

export const readLanes = 4;
export const insertLanes = 2;

/** UV_THREADPOOL_SIZE: each lane and the one for commands may hold a thread; files and zlib need some too. */
export const threadPoolSize = readLanes + insertLanes + 1 + 4;
