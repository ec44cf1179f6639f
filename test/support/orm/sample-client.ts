/** The declaration of a generated client of Prisma, which samples in the documentation use. */
export const SAMPLE_CLIENT = `const prisma: {
    $transaction<T>(
      work: (tx: {
        order: { create(call: { data: { total: number } }): Promise<{ id: number }> };
        $queryRawUnsafe(query: string, ...values: unknown[]): Promise<unknown>;
      }) => Promise<T>,
    ): Promise<T>;
  };`;
