#!/bin/sh
echo eat
