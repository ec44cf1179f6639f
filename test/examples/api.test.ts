import path from 'node:path';
import { expect, test } from 'vitest';
import { emptyDatabase } from '../support/database.ts';
import { runProgram } from './run-program.ts';

test('examples/api charges each card once, even if the service fails', async () => {
  const { url, drop } = await emptyDatabase();
  try {
    const ran = await runProgram(path.resolve('examples/api/charge-cards.mjs'), { env: { DATABASE_URL: url } });
    expect(ran.stderr).toBe('');
    const lines = ran.stdout.trimEnd().split('\n');
    // On a busy machine, other requests may time out. So the test only requires that these failures are listed.
    expect(lines).toEqual([
      expect.stringMatching(/^tok_visa +complete/),
      expect.stringMatching(/^tok_busy +complete .*authorise rate_limited/),
      expect.stringMatching(/^tok_error +complete .*authorise internal_server_error, authorise internal_server_error/),
      expect.stringMatching(/^tok_hang +complete .*authorise timeout/),
      expect.stringMatching(/^tok_slow +complete .*capture timeout/),
      expect.stringMatching(/^tok_reset +complete .*capture connection_error/),
      expect.stringMatching(/^tok_declined +blocked_by_failures .*authorise card_refused$/),
      '6 captures for 6 orders',
    ]);
    expect(ran.code).toBe(0);
  } finally {
    await drop();
  }
});
