#!/usr/bin/env bash
# The module is built already.
[ "$*" = build ]
