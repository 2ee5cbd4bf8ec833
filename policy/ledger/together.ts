// What is asked one by one in a turn of the event loop is sent together: few calls instead of many, in the order of asking.

export type TogetherOptions<Ask, Answer> = {
  /** Only asks of one group go in one call. */
  groupOf(ask: Ask): string | number;
  /** More in one call would hold up what else Redis has to do. */
  readonly most: number;
  /** An answer for each; an error is that of its ask alone. */
  send(asks: readonly Ask[]): Promise<readonly (Answer | Error)[]>;
};

type Waiting<Ask, Answer> = {
  readonly ask: Ask;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
};

export function createTogether<Ask, Answer>(options: TogetherOptions<Ask, Answer>): (ask: Ask) => Promise<Answer> {
  const { groupOf, most, send } = options;
  let waiting: Waiting<Ask, Answer>[] = [];

  function flush(): void {
    const groups = Map.groupBy(waiting, ({ ask }) => groupOf(ask));
    waiting = [];
    for (const group of groups.values()) {
      for (let from = 0; from < group.length; from += most) void settle(group.slice(from, from + most));
    }
  }

  async function settle(group: readonly Waiting<Ask, Answer>[]): Promise<void> {
    try {
      const answers = await send(group.map(({ ask }) => ask));
      for (const [index, { resolve, reject }] of group.entries()) {
        const answer = answers[index];
        if (answer instanceof Error) reject(answer);
        else resolve(answer as Answer);
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  return (ask) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) queueMicrotask(flush);
      waiting.push({ ask, resolve, reject });
    });
}
