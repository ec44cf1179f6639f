// A worker process with a handler that ends or blocks its process. Arguments: the index of the shape, and the options.
import * as sdk from '../../dist/bundle/index.js';
import { HANDLER_SHAPES } from './handler-shapes.mjs';

const [index, options] = process.argv.slice(2);
const { call } = HANDLER_SHAPES[Number(index)];
const handler = sdk.defineHandler('a', {}, ({ context }) => call(context, sdk));
await sdk.createTasker({ handlers: [handler], logger: sdk.silentLogger, ...JSON.parse(options) });
