import { createServer } from 'node:http';

async function bodyOf(request) {
  let text = '';
  for await (const part of request) text += part;
  return text === '' ? {} : JSON.parse(text);
}

/** Starts a server on a free port. `answer` returns the body of the response. */
async function serve(answer) {
  const server = createServer(async (request, response) => {
    try {
      response.end(JSON.stringify(await answer(new URL(request.url, 'http://localhost'), await bodyOf(request))));
    } catch (error) {
      response.writeHead(error.status ?? 500).end(JSON.stringify({ error: error.message }));
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Starts a payment service that accepts payments immediately and calls back later, except for the first of `I-3`. */
export const startPayments = () =>
  serve((_url, { invoice, attempt, callback }) => {
    const isForgotten = invoice === 'I-3' && attempt === 1;
    const outcome = invoice === 'I-2' ? { declined: 'insufficient funds' } : { receipt: `R-${invoice}` };
    // Calls twice, like a service that did not receive the response to its first callback.
    if (!isForgotten) {
      setTimeout(async () => {
        for (let calls = 0; calls < 2; calls++)
          await fetch(callback, { method: 'POST', body: JSON.stringify(outcome) });
      }, 20);
    }
    return { payment: `P-${invoice}-${attempt}` };
  });

/** The shop's endpoint for the callback. */
export const startShop = (tasker) =>
  serve(async ({ searchParams }, { receipt, declined }) => {
    const token = searchParams.get('token');
    if (declined) return tasker.failByToken(token, { message: declined, errorType: 'declined', retryable: false });
    return tasker.completeByToken(token, { receipt });
  });
